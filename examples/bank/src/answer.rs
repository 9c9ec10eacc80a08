//! What the bank answers, in words and as JSON.

use std::fmt;

use annals::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::account::{Account, AccountEvent};
use crate::request::{FORMS, Form};

/// An answer to one line.
#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(crate) enum Answer {
    /// How an account stands.
    #[serde(rename = "ok")]
    Standing {
        stream: StreamId,
        version: u64,
        #[serde(flatten)]
        account: Account,
    },
    /// What happened to an account.
    #[serde(rename = "ok")]
    History { stream: StreamId, events: Vec<Entry> },
    /// How lines are written.
    #[serde(rename = "ok")]
    Help { help: Vec<String> },
    /// What was asked for may not be.
    Refused { reason: String },
    /// The line could not be understood.
    Misread { reason: String },
}

/// An event, as a history shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) version: u64,
    pub(crate) recorded_at: Timestamp,
    #[serde(skip)]
    pub(crate) event: AccountEvent,
    #[serde(rename = "type")]
    pub(crate) event_type: &'static str,
    pub(crate) data: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
}

impl Answer {
    /// The list of forms.
    pub(crate) fn help() -> Self {
        Self::Help { help: FORMS.iter().map(Form::help).collect() }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standing { stream, version, account } => {
                write!(f, "ok {stream} version {version}: ")?;
                if account.closed {
                    f.write_str("closed")
                } else {
                    write!(f, "balance {}", account.balance)
                }
            }
            Self::History { stream, events } => {
                let s = if events.len() == 1 { "" } else { "s" };
                write!(f, "ok {stream}: {} event{s}", events.len())?;
                events.iter().try_for_each(|entry| write!(f, "\n{entry}"))
            }
            Self::Help { help } => f.write_str(&help.join("\n")),
            Self::Refused { reason } => write!(f, "refused: {reason}"),
            Self::Misread { reason } => f.write_str(reason),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>5}  {}  {}", self.version, self.recorded_at, self.event)?;
        self.user.iter().try_for_each(|user| write!(f, "  ({user})"))
    }
}
