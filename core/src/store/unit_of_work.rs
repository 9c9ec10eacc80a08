//! The port of stores that commit together what lives together.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Append, CheckpointChange, DeadlineChange, EventStore, OutgoingCommand, ProcessStore,
    ReadModelStore, RowChange, WriteError,
};
use crate::receipt::Receipt;

/// Commits events, rows, checkpoints and what processes have to do in one step.
#[async_trait]
pub trait UnitOfWorkStore: EventStore + ReadModelStore + ProcessStore {
    /// Does all of the work or none; the receipts are those of its appends, in their order.
    ///
    /// Work whose events are all there already is answered as [`EventStore::append`] says, and nothing of it is done
    /// again: no row, no checkpoint, no command. Work without events cannot be told so; what it writes is the same when
    /// it is written twice, and its checkpoint keeps what is older from being written over what is newer.
    ///
    /// # Errors
    ///
    /// As [`EventStore::append`] and [`ReadModelStore::write_rows`], with nothing done; [`WriteError::UnknownCommit`] of work
    /// without appends if the connection was lost, and nobody can say whether it was done.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has done all or nothing.
    async fn commit(&self, work: UnitOfWork) -> Result<Vec<Receipt>, WriteError>;
}

#[async_trait]
impl<S: UnitOfWorkStore + ?Sized> UnitOfWorkStore for Arc<S> {
    async fn commit(&self, work: UnitOfWork) -> Result<Vec<Receipt>, WriteError> {
        (**self).commit(work).await
    }
}

/// What is committed together: a plain value, so that a store can do it in one round trip.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct UnitOfWork {
    /// Events and idempotency keys. The steps of a process are events of its own stream.
    pub appends: Vec<Append>,
    /// Rows of read models.
    pub rows: Vec<RowChange>,
    /// The move of a reader's checkpoint, which checks its lease.
    pub checkpoint: Option<CheckpointChange>,
    /// Commands that are to go out.
    pub outgoing: Vec<OutgoingCommand>,
    /// Keys of outgoing commands that have been answered.
    pub answered: Vec<String>,
    /// Deadlines that are set or cancelled.
    pub deadlines: Vec<DeadlineChange>,
}

impl UnitOfWork {
    /// Makes a unit of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an append.
    #[must_use]
    pub fn append(mut self, append: Append) -> Self {
        self.appends.push(append);
        self
    }

    /// Adds a change of a row.
    #[must_use]
    pub fn row(mut self, change: RowChange) -> Self {
        self.rows.push(change);
        self
    }

    /// Moves a checkpoint under its lease.
    #[must_use]
    pub fn checkpoint(mut self, change: CheckpointChange) -> Self {
        self.checkpoint = Some(change);
        self
    }

    /// The move of the checkpoint, if the work is nothing else.
    pub fn only_checkpoint(&self) -> Option<&CheckpointChange> {
        let Self { appends, rows, checkpoint, outgoing, answered, deadlines } = self;
        let is_all = appends.is_empty()
            && rows.is_empty()
            && outgoing.is_empty()
            && answered.is_empty()
            && deadlines.is_empty();
        checkpoint.as_ref().filter(|_| is_all)
    }

    /// Adds a command that is to go out.
    #[must_use]
    pub fn outgoing(mut self, command: OutgoingCommand) -> Self {
        self.outgoing.push(command);
        self
    }

    /// Marks an outgoing command as answered, by its key.
    #[must_use]
    pub fn answered(mut self, key: impl Into<String>) -> Self {
        self.answered.push(key.into());
        self
    }

    /// Adds a change of a deadline.
    #[must_use]
    pub fn deadline(mut self, change: DeadlineChange) -> Self {
        self.deadlines.push(change);
        self
    }
}
