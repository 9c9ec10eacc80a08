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
    /// Reads the commands of the streams of a category that wait to go out, oldest first: those whose number is above
    /// `after`, where 0 is below all.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn outgoing(
        &self,
        category: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<WaitingCommand>, StoreError>;

    /// Reads the deadlines of the streams of a category that are due at an instant, in the order of [`Deadline`]: those
    /// after `after`, if it is given.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn due_deadlines(
        &self,
        category: &str,
        at: Timestamp,
        after: Option<&Deadline>,
        limit: usize,
    ) -> Result<Vec<Deadline>, StoreError>;
}

#[async_trait]
impl<S: ProcessStore + ?Sized> ProcessStore for Arc<S> {
    async fn outgoing(
        &self,
        category: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<WaitingCommand>, StoreError> {
        (**self).outgoing(category, after, limit).await
    }

    async fn due_deadlines(
        &self,
        category: &str,
        at: Timestamp,
        after: Option<&Deadline>,
        limit: usize,
    ) -> Result<Vec<Deadline>, StoreError> {
        (**self).due_deadlines(category, at, after, limit).await
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

/// A command that waits to go out, as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingCommand {
    /// Its place among all that wait, from 1: what came later is above.
    pub number: u64,
    /// The command.
    pub command: OutgoingCommand,
}

/// An instant at which a process wants to be woken. Ordered by the instant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Deadline {
    /// When it is due.
    pub due: Timestamp,
    /// The stream of the process.
    pub process: StreamId,
    /// The name of the deadline.
    pub name: String,
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
