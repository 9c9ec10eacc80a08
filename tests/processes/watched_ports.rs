//! The ports of a watched store whose calls nothing disturbs.

use annals::prelude::*;
use annals::projection::{
    ModelDefinition, Preparation, Pruned, Rebuild, RowsAtOnce, Showing, Shown,
};
use annals::read_model::{ModelTable, Row, Select, Test};
use annals::{OperatedStore, ScratchStore, SnapshotStore, StoreError, StoredSnapshot};

use super::{Watch, Watched};
use crate::scene::Store;

#[async_trait]
impl<S: Store, W: Watch> SnapshotStore for Watched<S, W> {
    async fn load_snapshot(
        &self,
        stream_id: &StreamId,
        snapshot_version: u32,
    ) -> Result<Option<StoredSnapshot>, StoreError> {
        self.store.load_snapshot(stream_id, snapshot_version).await
    }

    async fn save_snapshot(&self, snapshot: StoredSnapshot) -> Result<(), StoreError> {
        self.store.save_snapshot(snapshot).await
    }
}

#[async_trait]
impl<S: Store, W: Watch> OperatedStore for Watched<S, W> {
    async fn rebuilds(&self) -> Result<Vec<Rebuild>, StoreError> {
        self.store.rebuilds().await
    }

    async fn keep_rebuild(&self, rebuild: &Rebuild) -> Result<bool, StoreError> {
        self.store.keep_rebuild(rebuild).await
    }

    async fn preparation(&self, definition: &ModelDefinition) -> Result<Preparation, StoreError> {
        self.store.preparation(definition).await
    }

    async fn rows_at_once(
        &self,
        definition: &ModelDefinition,
    ) -> Result<Box<dyn RowsAtOnce>, StoreError> {
        self.store.rows_at_once(definition).await
    }

    async fn show_version(
        &self,
        projection: &str,
        version: u32,
        showing: Showing,
    ) -> Result<Shown, StoreError> {
        self.store.show_version(projection, version, showing).await
    }

    async fn prune(&self, projection: &str, version: u32) -> Result<Pruned, StoreError> {
        self.store.prune(projection, version).await
    }
}

#[async_trait]
impl<S: Store, W: Watch> ScratchStore for Watched<S, W> {
    async fn begin_scratch(
        &self,
        definition: &ModelDefinition,
        generation: u32,
    ) -> Result<(), StoreError> {
        self.store.begin_scratch(definition, generation).await
    }

    async fn select_scratch(
        &self,
        table: &ModelTable,
        select: &Select,
    ) -> Result<Option<Vec<Row>>, StoreError> {
        self.store.select_scratch(table, select).await
    }

    async fn count_scratch(
        &self,
        table: &ModelTable,
        tests: &[Test],
    ) -> Result<Option<u64>, StoreError> {
        self.store.count_scratch(table, tests).await
    }

    async fn drop_scratch(
        &self,
        definition: &ModelDefinition,
        generation: u32,
    ) -> Result<(), StoreError> {
        self.store.drop_scratch(definition, generation).await
    }

    async fn drop_left_scratch(&self) -> Result<u64, StoreError> {
        self.store.drop_left_scratch().await
    }
}
