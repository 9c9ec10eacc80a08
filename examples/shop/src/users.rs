//! Who is known, and by which token.

use std::fmt;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::names::{LONGEST, is_plain};

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Orders, and sees the orders that are theirs.
    Customer,
    /// Sees and does everything that a person may.
    Staff,
}

/// Somebody who is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their name; of a customer, the one that orders bear.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// The table of users. It keeps digests of tokens, never tokens.
#[derive(Clone, Default)]
pub struct Users {
    known: Vec<(Token, User)>,
}

type Token = [u8; 32];

/// A line of the file that `--users` names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    role: Role,
    /// The SHA-256 of the token, in hexadecimal digits.
    token_sha256: String,
}

/// Why a table of users cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// It is not a list of users in JSON.
    #[error("read the list of users")]
    Json(#[from] serde_json::Error),
    /// A name that no path could hold.
    #[error("user `{}`: a name is 1 to {LONGEST} letters, digits, `-`, `_` or `.`", .0.escape_debug())]
    Name(String),
    /// What should be a digest is none.
    #[error("user `{0}`: `token_sha256` is not 64 hexadecimal digits")]
    Digest(String),
    /// A name or a token stands for two.
    #[error("user `{0}`: the name, or the token, stands there twice")]
    Twice(String),
}

impl Users {
    /// Three users to try the shop with: `ada-token` and `bob-token` of customers, `staff-token` of staff.
    pub fn demo() -> Self {
        let user = |name: &str, role| {
            let token = digest(&format!("{name}-token"));
            (token, User { name: name.to_owned(), role })
        };
        let (ada, bob) = (user("ada", Role::Customer), user("bob", Role::Customer));
        Self { known: vec![ada, bob, user("staff", Role::Staff)] }
    }

    /// Reads a list of users: `[{"name": "ada", "role": "customer", "token_sha256": "…"}]`.
    ///
    /// # Errors
    ///
    /// When it is not such a list.
    pub fn parse(json: &str) -> Result<Self, UsersError> {
        let mut users = Self::default();
        for Line { name, role, token_sha256 } in serde_json::from_str::<Vec<Line>>(json)? {
            if !is_plain(&name, LONGEST) {
                return Err(UsersError::Name(name));
            }
            let Some(token) = from_hex(&token_sha256) else {
                return Err(UsersError::Digest(name));
            };
            if users.known.iter().any(|(other, user)| *other == token || user.name == name) {
                return Err(UsersError::Twice(name));
            }
            users.known.push((token, User { name, role }));
        }
        Ok(users)
    }

    /// Finds who has a token. It compares digests, each to its end and with each: how long it takes tells nothing of the
    /// tokens that are known.
    pub(crate) fn by_token(&self, token: &str) -> Option<&User> {
        let token = digest(token);
        let mut found = None;
        for (known, user) in &self.known {
            let differs =
                known.iter().zip(&token).fold(0, |differs, (one, two)| differs | (one ^ two));
            if std::hint::black_box(differs) == 0 {
                found = Some(user);
            }
        }
        found
    }

    /// What a user may do.
    pub(crate) fn role_of(&self, name: &str) -> Option<Role> {
        self.known.iter().find(|(_, user)| user.name == name).map(|(_, user)| user.role)
    }
}

fn digest(token: &str) -> Token {
    Sha256::digest(token).into()
}

fn from_hex(text: &str) -> Option<Token> {
    let mut token = Token::default();
    if text.len() != 2 * token.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in token.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(token)
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.known.iter().map(|(_, user)| user)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_the_token_only() {
        let users = Users::demo();
        assert_eq!(users.by_token("ada-token").map(|user| &*user.name), Some("ada"));
        for token in ["", "ada", "ada-toke", "ada-token ", "ada-tokens", "bob_token"] {
            assert_eq!(users.by_token(token), None, "{token:?}");
        }
        assert!(!format!("{users:?}").contains("token"));
    }

    #[test]
    fn a_table_is_read_from_json() {
        let line = |name: &str, digest: &str| {
            format!(r#"{{"name": "{name}", "role": "staff", "token_sha256": "{digest}"}}"#)
        };
        let secret = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        let users = Users::parse(&format!("[{}]", line("eve", secret))).expect("a table");
        assert_eq!(users.by_token("secret").map(|user| user.role), Some(Role::Staff));

        let wrong = |json: String| Users::parse(&json).unwrap_err().to_string();
        assert_eq!(
            wrong(format!("[{}]", line("eve", "secret"))),
            "user `eve`: `token_sha256` is not 64 hexadecimal digits"
        );
        for name in ["", "eve smith", "e/ve", "\u{e9}ve", &"e".repeat(129)] {
            let error = wrong(format!("[{}]", line(name, secret)));
            assert!(
                error.ends_with(": a name is 1 to 128 letters, digits, `-`, `_` or `.`"),
                "{error}"
            );
        }
        let twice = format!("[{0}, {0}]", line("eve", secret));
        assert_eq!(wrong(twice), "user `eve`: the name, or the token, stands there twice");
    }
}
