//! What can go wrong in a store.

use std::error::Error;
use std::fmt;

use super::KeyEntry;
use crate::position::Position;
use crate::stream::{Expected, StreamId};

/// A store that could not do what it was asked.
#[derive(Debug)]
pub struct StoreError {
    kind: Kind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unavailable,
    Invalid,
    Other,
}

impl StoreError {
    /// Says that the store cannot be reached now; trying again may help.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { kind: Kind::Unavailable, message: message.into(), source: None }
    }

    /// Says that the store cannot keep what it was given; trying again does not help.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { kind: Kind::Invalid, message: message.into(), source: None }
    }

    /// Says what else went wrong.
    pub fn other(message: impl Into<String>) -> Self {
        Self { kind: Kind::Other, message: message.into(), source: None }
    }

    /// Says that a reader stands beyond the end of the log, as after a restore from a backup.
    pub fn ahead_of_the_log(reader: Position, head: Position) -> Self {
        Self::invalid(format!(
            "a reader stands at position {reader}, but the log ends at {head}: if the log was restored from a backup, \
             reset the reader's checkpoint and rebuild what it has written"
        ))
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether the store could not be reached, so that trying again may help.
    pub fn is_unavailable(&self) -> bool {
        self.kind == Kind::Unavailable
    }

    /// Whether the store cannot keep what it was given, so that trying again does not help.
    pub fn is_invalid(&self) -> bool {
        self.kind == Kind::Invalid
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// A stream that is not where its writer expected it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("append to stream `{stream_id}`: expected {expected}, found {}", Expected::at(*actual))]
#[non_exhaustive]
pub struct Conflict {
    /// The stream.
    pub stream_id: StreamId,
    /// What was expected of it.
    pub expected: Expected,
    /// The version of its last event; 0 if there is none.
    pub actual: u64,
}

impl Conflict {
    /// Says what was expected and what was found.
    pub const fn new(stream_id: StreamId, expected: Expected, actual: u64) -> Self {
        Self { stream_id, expected, actual }
    }
}

/// A write that was not done, or of which nobody can say whether it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A stream is not where its writer expected it. Nothing was stored.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The idempotency key is in use on the stream. Nothing was stored.
    #[error("idempotency key `{key}` is used on stream `{stream_id}` by command `{}`", .entry.command)]
    KeyUsed {
        /// The stream.
        stream_id: StreamId,
        /// The key.
        key: String,
        /// Who used it, and what was answered.
        entry: Box<KeyEntry>,
    },
    /// The writer's lease has passed to another. Nothing was stored.
    #[error("`{name}` has passed to another owner: epoch {held} is not {current}")]
    Fenced {
        /// What the lease is for.
        name: String,
        /// The epoch that the writer held.
        held: u64,
        /// The epoch that is in force.
        current: u64,
    },
    /// A table of a read model does not take a row. Nothing was stored.
    #[error("read model `{model}` does not take a row")]
    RowRefused {
        /// The table.
        model: String,
        /// Why.
        source: StoreError,
    },
    /// The checkpoint stands further on than where it was to be moved: two writers share one lease, or one goes back. Nothing
    /// was stored.
    #[error(
        "checkpoint of `{name}`: it stands at position {position} and does not move back to {to} under one lease"
    )]
    MovedBack {
        /// Whose checkpoint it is.
        name: String,
        /// Where it stands.
        position: Position,
        /// Where it was to be moved.
        to: Position,
    },
    /// The connection was lost around the commit of work without events, and the store could not be asked whether it was done.
    #[error("commit a unit of work: the outcome is unknown")]
    UnknownCommit {
        /// Why it is not known.
        source: StoreError,
    },
    /// The connection was lost around the commit, and the store could not be asked whether it was done.
    #[error("append to stream `{stream_id}`: the outcome is unknown")]
    UnknownOutcome {
        /// The first stream of the append.
        stream_id: StreamId,
        /// Why it is not known.
        source: StoreError,
    },
    /// The store could not do it. Nothing was stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}
