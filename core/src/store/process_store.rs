//! The port of stores that keep what processes have to do: commands that wait to go out, deadlines that wait to fire.

use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::codec::Payload;
use crate::metadata::Metadata;
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// Keeps outgoing commands and deadlines. They are written by a [`UnitOfWork`](super::UnitOfWork).
#[async_trait]
pub trait ProcessStore: Send + Sync + 'static {
    /// Reads the commands that wait to go out, oldest first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn outgoing(&self, limit: usize) -> Result<Vec<OutgoingCommand>, StoreError>;

    /// Reads the deadlines that are due at an instant, the earliest first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn due_deadlines(&self, at: Timestamp, limit: usize)
    -> Result<Vec<Deadline>, StoreError>;
}

#[async_trait]
impl<S: ProcessStore + ?Sized> ProcessStore for Arc<S> {
    async fn outgoing(&self, limit: usize) -> Result<Vec<OutgoingCommand>, StoreError> {
        (**self).outgoing(limit).await
    }

    async fn due_deadlines(
        &self,
        at: Timestamp,
        limit: usize,
    ) -> Result<Vec<Deadline>, StoreError> {
        (**self).due_deadlines(at, limit).await
    }
}

/// A command that a process asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingCommand {
    /// The stream of the process.
    pub process: StreamId,
    /// The idempotency key under which it is done once; unique among all that goes out.
    pub key: String,
    /// The name of the command.
    pub command: String,
    /// What it says, as the store's codec sealed it.
    pub data: Payload,
    /// Who caused it, and why.
    pub metadata: Arc<Metadata>,
}

/// An instant at which a process wants to be woken.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Deadline {
    /// The stream of the process.
    pub process: StreamId,
    /// The name of the deadline.
    pub name: String,
    /// When it is due.
    pub due: Timestamp,
}

/// What becomes of one deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadlineChange {
    /// It is set, or moved.
    Set(Deadline),
    /// It is there no more.
    Cancel {
        /// The stream of the process.
        process: StreamId,
        /// The name of the deadline.
        name: String,
    },
}
