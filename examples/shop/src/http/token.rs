//! Tokens: what a command answers, and what a read takes to see what the command has written.

use std::fmt;

use annals::Receipt;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use utoipa::ToSchema;
use uuid::Uuid;

use super::problem::Problem;

/// How many bytes of a token are its seal.
const SEAL: usize = 16;

/// Names a place in the log, for `after=…`. It is opaque to whoever gets it, and no secret: it opens nothing.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(transparent)]
pub(crate) struct Token(String);

/// What seals tokens. A read waits for what its token names: one that nobody has answered is refused instead.
#[derive(Clone)]
pub struct TokenKey(Hmac<Sha256>);

impl TokenKey {
    /// Makes a key that nobody else has: tokens end with it.
    pub fn random() -> Self {
        let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
        Self::of(&[one.into_bytes(), other.into_bytes()].concat())
    }

    /// Makes the key of a secret, which all instances of a shop share.
    ///
    /// # Panics
    ///
    /// Never: a secret may have any length.
    pub fn of(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("a secret may have any length"))
    }

    pub(crate) fn seal(&self, receipt: &Receipt) -> Token {
        // Cannot fail: texts and numbers only.
        let content = serde_json::to_vec(receipt).unwrap_or_default();
        let seal = self.0.clone().chain_update(&content).finalize().into_bytes();
        Token(URL_SAFE_NO_PAD.encode([&seal[..SEAL], &content].concat()))
    }

    pub(crate) fn open(&self, token: &str) -> Result<Receipt, Problem> {
        let opened = || {
            let token = URL_SAFE_NO_PAD.decode(token).ok()?;
            let (seal, content) = token.split_at_checked(SEAL)?;
            self.0.clone().chain_update(content).verify_truncated_left(seal).ok()?;
            serde_json::from_slice(content).ok()
        };
        opened()
            .ok_or_else(|| Problem::bad_request("`after` is no token that a command has answered"))
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(…)")
    }
}
