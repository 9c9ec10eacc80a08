//! What operators ask of the store.

use std::vec;

use async_trait::async_trait;

use super::MemoryStore;
use crate::projection::{
    ModelDefinition, Preparation, Pruned, Rebuild, RowsAtOnce, Showing, Shown,
};
use crate::read_model::Row;
use crate::shards::Standing;
use crate::store::{OperatedStore, StoreError};

/// All rows of a projection, as they were.
struct Copied {
    standing: Standing,
    rows: vec::IntoIter<Row>,
}

#[async_trait]
impl RowsAtOnce for Copied {
    fn standing(&self) -> &Standing {
        &self.standing
    }

    async fn next_page(&mut self, limit: usize) -> Result<Vec<Row>, StoreError> {
        Ok(self.rows.by_ref().take(limit).collect())
    }
}

#[async_trait]
impl OperatedStore for MemoryStore {
    async fn rebuilds(&self) -> Result<Vec<Rebuild>, StoreError> {
        Ok(self.read().models.rebuilds())
    }

    async fn keep_rebuild(&self, rebuild: &Rebuild) -> Result<bool, StoreError> {
        Ok(self.write().models.keep_rebuild(rebuild))
    }

    async fn preparation(&self, definition: &ModelDefinition) -> Result<Preparation, StoreError> {
        Ok(self.read().models.preparation(definition))
    }

    async fn rows_at_once(
        &self,
        definition: &ModelDefinition,
    ) -> Result<Box<dyn RowsAtOnce>, StoreError> {
        let state = self.read();
        let table = state.models.answering(definition)?;
        let rows = state.models.all_rows(&table).into_iter();
        let standing = state.standing(&definition.reader(table.generation));
        Ok(Box::new(Copied { standing, rows }))
    }

    async fn show_version(
        &self,
        projection: &str,
        version: u32,
        showing: Showing,
    ) -> Result<Shown, StoreError> {
        self.read().show_version(projection, version, showing)
    }

    async fn prune(&self, projection: &str, version: u32) -> Result<Pruned, StoreError> {
        let now = self.shared.clock.now();
        Ok(self.write().prune(projection, version, now))
    }
}
