//! Why an engine of processes does not start, or not do what was asked.

use std::time::Duration;

use crate::bus::SetupError;
use crate::position::Position;
use crate::store::StoreError;

/// Why an engine of processes did not start, or did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// Two process managers clash, or events that the program links do.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The engine does not run the process manager.
    #[error(
        "process manager `{process}` is not registered with this engine; add `.register::<…>()` or `.register_all()`"
    )]
    NotRegistered {
        /// The process manager.
        process: &'static str,
    },
    /// Another engine has the process manager.
    #[error("process manager `{process}` is run by another engine; ask that one")]
    NotOwner {
        /// The process manager.
        process: &'static str,
    },
    /// The process manager has stopped.
    #[error("process manager `{process}` has stopped: {reason}")]
    Stopped {
        /// The process manager.
        process: &'static str,
        /// Why.
        reason: String,
    },
    /// Somebody has asked for another number of shards later, which holds.
    #[error(
        "process manager `{process}` has {shards} shards, and not {wished}: somebody has asked for that number later"
    )]
    OtherShards {
        /// The process manager.
        process: &'static str,
        /// How many it was to have.
        wished: u32,
        /// How many it has.
        shards: u32,
    },
    /// There is no event to skip.
    #[error(
        "process manager `{process}` has not stopped at position {position}: there is nothing to skip"
    )]
    NothingToSkip {
        /// The process manager.
        process: &'static str,
        /// The position that was named.
        position: Position,
    },
    /// Processes wait for a person.
    #[error(
        "{count} of `{process}` wait for a person, the first of them `{id}`: {error}; see `parked()` and `retry_parked(…)`"
    )]
    Parked {
        /// The process manager.
        process: &'static str,
        /// How many of its processes wait.
        count: usize,
        /// The id of the first.
        id: String,
        /// Why it waits.
        error: String,
    },
    /// What follows from the log took longer than one was willing to wait.
    #[error("process manager `{process}` has not settled within {patience:?}")]
    Late {
        /// The process manager.
        process: &'static str,
        /// How long was waited.
        patience: Duration,
    },
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A worker ended without an answer.
    #[error("the worker of process manager `{process}` has ended")]
    Ended {
        /// The process manager.
        process: &'static str,
    },
}
