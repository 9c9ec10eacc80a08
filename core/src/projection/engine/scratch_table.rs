//! A table of rows that are not kept: it goes with the last who can read it.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::projection::ModelDefinition;
use crate::read_model::{ModelTable, Row, Select, Table, Test};
use crate::store::{ReadModelStore, StoreError};
use crate::subscription::lease::Lease;

/// A table of rows that are not kept. Dropped, it is dropped in the store, too, in a task; what is left of one whose program ends
/// before that, the next who folds something aside drops.
pub(crate) struct ScratchTable {
    store: Arc<dyn ReadModelStore>,
    definition: ModelDefinition,
    table: ModelTable,
    /// As long as it is held, nobody takes the table for one that was left.
    lease: Option<Lease>,
    tasks: TaskTracker,
    is_dropped: bool,
}

impl ScratchTable {
    pub(super) const fn new(
        store: Arc<dyn ReadModelStore>,
        definition: ModelDefinition,
        table: ModelTable,
        tasks: TaskTracker,
    ) -> Self {
        Self { store, definition, table, lease: None, tasks, is_dropped: false }
    }

    /// Makes it.
    pub(super) async fn begin(&self) -> Result<(), StoreError> {
        self.store.begin_scratch(&self.definition, self.table.generation).await
    }

    /// Keeps it for as long as this lease is held.
    pub(super) fn held_by(mut self, lease: Lease) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Where it is.
    pub(crate) const fn store(&self) -> &Arc<dyn ReadModelStore> {
        &self.store
    }

    /// Reads its rows.
    pub(super) async fn select(&self, select: &Select) -> Result<Vec<Row>, StoreError> {
        let rows = self.store.select_scratch(&self.table, select).await?;
        rows.ok_or_else(|| self.definition.scratch_gone())
    }

    /// Counts rows; `None` if they are gone.
    pub(super) async fn count(&self, tests: &[Test]) -> Result<Option<u64>, StoreError> {
        self.store.count_scratch(&self.table, tests).await
    }

    /// Whether all its rows are there still.
    pub(super) async fn is_whole(&self) -> Result<bool, StoreError> {
        let none = Select::default().limit(0);
        Ok(self.store.select_scratch(&self.table, &none).await?.is_some())
    }

    /// Reads the rows of a read model; `None` if they are others.
    pub(crate) async fn select_of(
        &self,
        (table, version): (&'static Table, u32),
        select: &Select,
    ) -> Result<Option<Vec<Row>>, StoreError> {
        if (self.table.table, self.table.version) != (table, version) {
            return Ok(None);
        }
        self.select(select).await.map(Some)
    }

    /// Counts the rows of a read model; `None` if they are others.
    pub(crate) async fn count_of(
        &self,
        (table, version): (&'static Table, u32),
        tests: &[Test],
    ) -> Result<Option<u64>, StoreError> {
        if (self.table.table, self.table.version) != (table, version) {
            return Ok(None);
        }
        let rows = self.count(tests).await?;
        rows.ok_or_else(|| self.definition.scratch_gone()).map(Some)
    }

    /// Drops it, and waits until it is gone.
    pub(super) async fn close(mut self) -> Result<(), StoreError> {
        if let Some(lease) = self.lease.take() {
            // Whether it could be given up, its task tells the log.
            let _ = lease.give_up().await;
        }
        let dropped = self.store.drop_scratch(&self.definition, self.table.generation).await;
        self.is_dropped = true;
        dropped
    }
}

impl Drop for ScratchTable {
    fn drop(&mut self) {
        let Ok(runtime) = Handle::try_current() else { return };
        if self.is_dropped {
            return;
        }
        let (store, definition, lease) =
            (self.store.clone(), self.definition.clone(), self.lease.take());
        let generation = self.table.generation;
        let dropping = async move {
            if let Some(lease) = lease {
                let _ = lease.give_up().await;
            }
            if let Err(error) = store.drop_scratch(&definition, generation).await {
                tracing::warn!(%error, "a scratch table is left: the next one who makes one drops it");
            }
        };
        self.tasks.spawn_on(dropping, &runtime);
    }
}
