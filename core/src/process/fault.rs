//! Why a process waits for a person.

use crate::codec::DecodeError;

/// Why a step was not done. The process waits for a person.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The event cannot be read.
    #[error(transparent)]
    Unreadable(DecodeError),
    /// The event begins a process that lives already.
    #[error(
        "the event begins the process, but it lives; take `#[on(upsert)]` and `Option<Self>` if it may"
    )]
    Exists,
    /// A command was refused, and no step takes its refusal.
    #[error("command `{command}` was refused, and no `#[rejected]` takes it: {why}")]
    Refused {
        /// The name of the command.
        command: String,
        /// Why it was refused.
        why: String,
    },
    /// The step could not be done, as when it panics.
    #[error("{0}")]
    Failed(String),
}
