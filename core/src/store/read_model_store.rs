//! The port of stores that keep rows of read models, with the checkpoints and leases of who writes them.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{
    CheckpointChange, CheckpointId, Fence, LeaseHolder, OperatedStore, ScratchStore, ShardedStore,
    StoreError, WriteError,
};
use crate::codec::{PayloadCodec, PlainJson};
use crate::position::Position;
use crate::projection::{CatalogEntry, ModelDefinition, ParkedEvent};
use crate::read_model::{ModelTable, Row, RowKey, Select, Table, Test};

/// Keeps rows of read models. It may be another database than the events': checkpoint and fence live with the rows.
#[async_trait]
pub trait ReadModelStore: OperatedStore + ScratchStore + ShardedStore {
    /// Makes what a projection writes to, if it is missing, and tells what is there. A table that was dropped is made anew, and
    /// its reader begins at the log's beginning.
    ///
    /// Columns that were only added, and may hold nothing, are added; a generation that is built beside, without what they are to
    /// hold, is dropped. A projection that is kept under the same name and version
    /// with another definition is refused.
    ///
    /// # Errors
    ///
    /// When the definition is refused, or the store cannot be written.
    async fn prepare(&self, definition: &ModelDefinition) -> Result<CatalogEntry, StoreError>;

    /// Tells what is kept of all projections, in the order of their names and versions.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn catalog(&self) -> Result<Vec<CatalogEntry>, StoreError>;

    /// Makes the tables of one more generation, empty, beside those that answer, under a lease of who builds them; what an
    /// earlier rebuild left there goes.
    ///
    /// # Errors
    ///
    /// [`WriteError::Fenced`] if the lease has passed to another; [`WriteError::Store`] otherwise, as when columns are kept that
    /// the definition lacks.
    async fn begin_generation(
        &self,
        definition: &ModelDefinition,
        fence: &Fence,
    ) -> Result<u32, WriteError>;

    /// Has a generation answer from now on, in one step, under the lease of who built it, and drops the one that answered
    /// before: whoever wrote that, in whatever process and shard, writes no more.
    ///
    /// `false`, with nothing changed, if it has not come as far as the one that answers. A checkpoint above `head`, where the
    /// log ends, does not count: it tells of a log that is gone.
    ///
    /// # Errors
    ///
    /// [`WriteError::Fenced`] if the lease has passed to another; [`WriteError::Store`] otherwise, as when columns are kept that
    /// the definition lacks.
    async fn switch_generation(
        &self,
        definition: &ModelDefinition,
        generation: u32,
        fence: &Fence,
        head: Position,
    ) -> Result<bool, WriteError>;

    /// Hears that a projection's owner has read the log to its end: what a store shows under the read model's own name is this
    /// version from now on, unless that is one still newer. It is called each time that an owner first comes there.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn caught_up(&self, definition: &ModelDefinition) -> Result<(), StoreError> {
        let _ = definition;
        Ok(())
    }

    /// Drops a generation that is built, with its checkpoint, under a lease of who builds; one that answers stays.
    ///
    /// # Errors
    ///
    /// [`WriteError::Fenced`] if the lease has passed to another; [`WriteError::Store`] otherwise.
    async fn drop_generation(
        &self,
        definition: &ModelDefinition,
        generation: u32,
        fence: &Fence,
    ) -> Result<(), WriteError>;

    /// Says whether a projection is to pause, for all processes.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn set_paused(
        &self,
        projection: &str,
        version: u32,
        paused: bool,
    ) -> Result<(), StoreError>;

    /// Reads the rows that have one of the keys, or pass one of the tests; each once, in any order.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn rows(
        &self,
        table: &ModelTable,
        keys: &[RowKey],
        tests: &[Test],
    ) -> Result<Vec<Row>, StoreError>;

    /// Reads rows of the generation that answers; `None` if there is none.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn select(
        &self,
        table: &'static Table,
        version: u32,
        select: &Select,
    ) -> Result<Option<Vec<Row>>, StoreError>;

    /// Counts rows of the generation that answers; `None` if there is none.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn count(
        &self,
        table: &'static Table,
        version: u32,
        tests: &[Test],
    ) -> Result<Option<u64>, StoreError>;

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

    /// Lists the leases of readers whose names begin with a prefix, in the order of their ids: those that are held, and those
    /// that have run out, whose owner may be dead. One that was given up is nobody's, and is not listed.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn leases(&self, prefix: &str) -> Result<Vec<LeaseHolder>, StoreError>;

    /// Writes rows and moves the checkpoint, all or none.
    ///
    /// # Errors
    ///
    /// [`WriteError::Fenced`] if the lease has passed to another; [`WriteError::RowRefused`] if a table does not take a row;
    /// [`WriteError::MovedBack`] if the checkpoint stands further on; [`WriteError::UnknownCommit`] if the connection was
    /// lost, and nobody can say whether it was done;
    /// [`WriteError::Store`] otherwise.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has written all or nothing; the checkpoint tells.
    async fn write_rows(
        &self,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError>;

    /// Reads what is parked of a reader, in the order of positions: all, or that of one key.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn parked(
        &self,
        reader: &CheckpointId,
        key: Option<&str>,
    ) -> Result<Vec<ParkedEvent>, StoreError>;

    /// What seals and opens the JSON in rows.
    fn row_codec(&self) -> &dyn PayloadCodec {
        &PlainJson
    }

    /// The store as its own type, for a [`Projector`](crate::projection::Projector) that writes by means which only that type
    /// has; `None` if it offers none.
    fn backend(&self) -> Option<&(dyn Any + Send + Sync)> {
        None
    }
}

#[async_trait]
impl<S: ReadModelStore + ?Sized> ReadModelStore for Arc<S> {
    async fn prepare(&self, definition: &ModelDefinition) -> Result<CatalogEntry, StoreError> {
        (**self).prepare(definition).await
    }

    async fn catalog(&self) -> Result<Vec<CatalogEntry>, StoreError> {
        (**self).catalog().await
    }

    async fn begin_generation(
        &self,
        definition: &ModelDefinition,
        fence: &Fence,
    ) -> Result<u32, WriteError> {
        (**self).begin_generation(definition, fence).await
    }

    async fn switch_generation(
        &self,
        definition: &ModelDefinition,
        generation: u32,
        fence: &Fence,
        head: Position,
    ) -> Result<bool, WriteError> {
        (**self).switch_generation(definition, generation, fence, head).await
    }

    async fn caught_up(&self, definition: &ModelDefinition) -> Result<(), StoreError> {
        (**self).caught_up(definition).await
    }

    async fn drop_generation(
        &self,
        definition: &ModelDefinition,
        generation: u32,
        fence: &Fence,
    ) -> Result<(), WriteError> {
        (**self).drop_generation(definition, generation, fence).await
    }

    async fn set_paused(
        &self,
        projection: &str,
        version: u32,
        paused: bool,
    ) -> Result<(), StoreError> {
        (**self).set_paused(projection, version, paused).await
    }

    async fn rows(
        &self,
        table: &ModelTable,
        keys: &[RowKey],
        tests: &[Test],
    ) -> Result<Vec<Row>, StoreError> {
        (**self).rows(table, keys, tests).await
    }

    async fn select(
        &self,
        table: &'static Table,
        version: u32,
        select: &Select,
    ) -> Result<Option<Vec<Row>>, StoreError> {
        (**self).select(table, version, select).await
    }

    async fn count(
        &self,
        table: &'static Table,
        version: u32,
        tests: &[Test],
    ) -> Result<Option<u64>, StoreError> {
        (**self).count(table, version, tests).await
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

    async fn leases(&self, prefix: &str) -> Result<Vec<LeaseHolder>, StoreError> {
        (**self).leases(prefix).await
    }

    async fn write_rows(
        &self,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError> {
        (**self).write_rows(rows, checkpoint).await
    }

    async fn parked(
        &self,
        reader: &CheckpointId,
        key: Option<&str>,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        (**self).parked(reader, key).await
    }

    fn row_codec(&self) -> &dyn PayloadCodec {
        (**self).row_codec()
    }

    fn backend(&self) -> Option<&(dyn Any + Send + Sync)> {
        (**self).backend()
    }
}

impl RowChange {
    /// The same change of a row in another generation.
    #[must_use]
    pub(crate) fn in_generation(mut self, generation: u32) -> Self {
        if let Self::Upsert { table, .. } | Self::Delete { table, .. } = &mut self {
            table.generation = generation;
        }
        self
    }
}

/// What becomes of one row, or of an event that waits for its row.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowChange {
    /// It is there afterwards, as given.
    Upsert {
        /// The table.
        table: ModelTable,
        /// The row.
        row: Row,
    },
    /// It is not there afterwards.
    Delete {
        /// The table.
        table: ModelTable,
        /// The key of the row.
        key: RowKey,
    },
    /// The event is parked afterwards, as given.
    Park(ParkedEvent),
    /// The event is not parked afterwards.
    Unpark {
        /// The reader.
        reader: CheckpointId,
        /// The key of the row.
        key: String,
        /// The event's position.
        position: Position,
    },
}
