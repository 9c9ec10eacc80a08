//! What a line asks for: JSON or words.
//!
//! A line that asks for nothing sensible is told so here; whether what it asks for may be done, the domain decides.

use serde::Deserialize;
use serde_json::{Map, Value};

/// How like a known word an unknown one must be to be taken for a slip, from 0 to 1.
const LIKENESS: f64 = 0.7;

/// Each word that begins a line, what follows it, and what it does.
pub(crate) const FORMS: [Form; 8] = [
    Form { verb: "open", rest: " ACCOUNT OWNER", does: "open an account" },
    Form { verb: "deposit", rest: " ACCOUNT AMOUNT", does: "put money in" },
    Form { verb: "withdraw", rest: " ACCOUNT AMOUNT", does: "take money out" },
    Form { verb: "close", rest: " ACCOUNT", does: "pay out the rest and close the account" },
    Form { verb: "balance", rest: " ACCOUNT [at VERSION]", does: "what is in it, or was" },
    Form { verb: "history", rest: " ACCOUNT", does: "all that happened to it" },
    Form { verb: "help", rest: "", does: "this list" },
    Form { verb: "quit", rest: "", does: "stop reading" },
];

/// How a line in words is written.
#[derive(Debug)]
pub(crate) struct Form {
    verb: &'static str,
    rest: &'static str,
    does: &'static str,
}

impl Form {
    /// The form as help shows it.
    pub(crate) fn help(&self) -> String {
        let written = format!("{}{}", self.verb, self.rest);
        format!("{written:<30}{}", self.does)
    }
}

/// What a line asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Request {
    Command(Order),
    Balance { account: String, at: Option<u64> },
    History { account: String },
    Help,
    Quit,
}

/// A command by its name, as the bus takes it.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Order {
    #[serde(rename = "command")]
    pub(crate) name: String,
    /// The idempotency key.
    pub(crate) key: Option<String>,
    /// Who sends it.
    pub(crate) user: Option<String>,
    #[serde(flatten)]
    pub(crate) content: Map<String, Value>,
}

/// Why a line could not be understood.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum Misread {
    #[error("not UTF-8 after byte {0}")]
    NotUtf8(usize),
    #[error("a quote is left open, or a backslash ends the line")]
    OpenQuote,
    #[error("not a command in JSON: {0}")]
    Json(String),
    #[error("unknown command `{0}`; `help` lists them")]
    Unknown(String),
    #[error("unknown command `{verb}`; did you mean `{nearest}`?")]
    Misspelt { verb: String, nearest: &'static str },
    #[error("`{verb}` is written `{verb}{rest}`, a name with spaces in quotes")]
    Form { verb: &'static str, rest: &'static str },
    #[error("`{0}` is not a whole number up to {max}", max = u64::MAX)]
    Number(String),
}

/// Reads a line; `None` if it is blank or a comment.
pub(crate) fn parse(line: &[u8]) -> Result<Option<Request>, Misread> {
    let line = str::from_utf8(line).map_err(|error| Misread::NotUtf8(error.valid_up_to()))?.trim();
    if line.starts_with('{') {
        return parse_json(line).map(Some);
    }
    // A `#` begins a comment for `shlex` as for a shell: at the line's start or after a space.
    let words = shlex::split(line).ok_or(Misread::OpenQuote)?;
    match words.split_first() {
        None => Ok(None),
        Some((verb, rest)) => parse_words(verb, rest).map(Some),
    }
}

fn parse_json(line: &str) -> Result<Request, Misread> {
    serde_json::from_str(line).map(Request::Command).map_err(|error| {
        let message = error.to_string();
        // To serde_json each line is line 1; what line it is, the caller knows.
        let place = format!(" at line {} column {}", error.line(), error.column());
        let what = message.strip_suffix(&place).unwrap_or(&message);
        let column = error.is_syntax().then(|| format!(" at column {}", error.column()));
        Misread::Json(format!("{what}{}", column.unwrap_or_default()))
    })
}

fn parse_words(verb: &str, rest: &[String]) -> Result<Request, Misread> {
    let form = FORMS.iter().find(|form| form.verb == verb).ok_or_else(|| unknown(verb))?;
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    Ok(match (form.verb, &*rest) {
        ("open", &[account, owner]) => {
            order("OpenAccount", [("account", account.into()), ("owner", owner.into())])
        }
        ("deposit", &[account, amount]) => {
            order("Deposit", [("account", account.into()), ("amount", number(amount)?.into())])
        }
        ("withdraw", &[account, amount]) => {
            order("Withdraw", [("account", account.into()), ("amount", number(amount)?.into())])
        }
        ("close", &[account]) => order("CloseAccount", [("account", account.into())]),
        ("balance", &[account]) => Request::Balance { account: account.to_owned(), at: None },
        ("balance", &[account, "at", version]) => {
            Request::Balance { account: account.to_owned(), at: Some(number(version)?) }
        }
        ("history", &[account]) => Request::History { account: account.to_owned() },
        ("help", []) => Request::Help,
        ("quit", []) => Request::Quit,
        _ => return Err(Misread::Form { verb: form.verb, rest: form.rest }),
    })
}

fn order<const N: usize>(name: &str, fields: [(&str, Value); N]) -> Request {
    let content = fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect();
    Request::Command(Order { name: name.to_owned(), key: None, user: None, content })
}

fn number(word: &str) -> Result<u64, Misread> {
    word.parse().map_err(|_| Misread::Number(word.to_owned()))
}

fn unknown(verb: &str) -> Misread {
    let nearest = FORMS
        .iter()
        .map(|form| (strsim::jaro_winkler(form.verb, verb), form.verb))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    let verb = verb.to_owned();
    match nearest {
        Some((_, nearest)) => Misread::Misspelt { verb, nearest },
        None => Misread::Unknown(verb),
    }
}
