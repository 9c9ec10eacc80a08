//! The port of stores that keep rows of read models, with the checkpoints and leases of who writes them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{StoreError, WriteError};
use crate::codec::Payload;
use crate::position::Position;

/// Keeps rows of read models. It may be another database than the events': checkpoint and fence live with the rows.
#[async_trait]
pub trait ReadModelStore: Send + Sync + 'static {
    /// Finds rows by their keys; the answers are in the order of the keys.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn rows(&self, model: &str, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError>;

    /// Reads a page of a model's rows in the order of their keys.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn row_page(
        &self,
        model: &str,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;

    /// Tells up to where a reader has come; `None` if it never began.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn checkpoint(&self, id: &CheckpointId) -> Result<Option<Position>, StoreError>;

    /// Takes or renews the lease of a reader: `None` while another owner holds it.
    ///
    /// Each claim of a lease that is free, has run out or was given up raises the epoch, under the same owner's name too, and
    /// a write that carries an older one is refused. A renewal in time keeps it.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn claim_lease(
        &self,
        id: &CheckpointId,
        owner: &str,
        lifetime: Duration,
    ) -> Result<Option<Fence>, StoreError>;

    /// Gives a lease up, so that another owner need not wait for its end: from then on, it writes no more. A lease that has
    /// passed on stays.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn release_lease(&self, fence: &Fence) -> Result<(), StoreError>;

    /// Writes rows and moves the checkpoint, all or none.
    ///
    /// # Errors
    ///
    /// [`WriteError::Fenced`] if the lease has passed to another; [`WriteError::Store`] otherwise.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has written all or nothing; the checkpoint tells.
    async fn write_rows(
        &self,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError>;
}

#[async_trait]
impl<S: ReadModelStore + ?Sized> ReadModelStore for Arc<S> {
    async fn rows(&self, model: &str, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        (**self).rows(model, keys).await
    }

    async fn row_page(
        &self,
        model: &str,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        (**self).row_page(model, after, limit).await
    }

    async fn checkpoint(&self, id: &CheckpointId) -> Result<Option<Position>, StoreError> {
        (**self).checkpoint(id).await
    }

    async fn claim_lease(
        &self,
        id: &CheckpointId,
        owner: &str,
        lifetime: Duration,
    ) -> Result<Option<Fence>, StoreError> {
        (**self).claim_lease(id, owner, lifetime).await
    }

    async fn release_lease(&self, fence: &Fence) -> Result<(), StoreError> {
        (**self).release_lease(fence).await
    }

    async fn write_rows(
        &self,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError> {
        (**self).write_rows(rows, checkpoint).await
    }
}

/// The key of a row, as the text by which stores compare and order it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey(pub String);

/// A row of a read model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its key.
    pub key: RowKey,
    /// Its columns, as the store's codec sealed them.
    pub data: Payload,
}

/// What becomes of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowChange {
    /// It is there afterwards, as given.
    Upsert {
        /// The read model.
        model: String,
        /// The row.
        row: Row,
    },
    /// It is not there afterwards.
    Delete {
        /// The read model.
        model: String,
        /// The key of the row.
        key: RowKey,
    },
}

/// Whose checkpoint it is: a reader of the log by name, version and shard.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CheckpointId {
    /// The name of the projection, process or reactor.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// Its shard.
    pub shard: u32,
}

/// A lease as its owner holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// What the lease is for.
    pub id: CheckpointId,
    /// The epoch, which rises with each owner.
    pub epoch: u64,
}

/// A checkpoint's move, under its owner's lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointChange {
    /// The lease under which it moves.
    pub fence: Fence,
    /// Where it is afterwards.
    pub position: Position,
}
