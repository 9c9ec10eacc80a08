//! The port of operators, each method handed to the module that does it.

use annals::projection::{
    ModelDefinition, Preparation, Pruned, Rebuild, RowsAtOnce, Showing, Shown,
};
use annals::{OperatedStore, StoreError};
use async_trait::async_trait;

use crate::models;
use crate::store::PostgresStore;

#[async_trait]
impl OperatedStore for PostgresStore {
    async fn rebuilds(&self) -> Result<Vec<Rebuild>, StoreError> {
        models::rebuilds(self.database()).await
    }

    async fn keep_rebuild(&self, rebuild: &Rebuild) -> Result<bool, StoreError> {
        models::keep_rebuild(self.database(), rebuild).await
    }

    async fn preparation(&self, definition: &ModelDefinition) -> Result<Preparation, StoreError> {
        models::preparation(self.database(), definition).await
    }

    async fn rows_at_once(
        &self,
        definition: &ModelDefinition,
    ) -> Result<Box<dyn RowsAtOnce>, StoreError> {
        models::rows_at_once(&self.inner.database, definition).await
    }

    async fn show_version(
        &self,
        projection: &str,
        version: u32,
        showing: Showing,
    ) -> Result<Shown, StoreError> {
        models::show_version(self.database(), projection, version, showing).await
    }

    async fn prune(&self, projection: &str, version: u32) -> Result<Pruned, StoreError> {
        models::prune(self.database(), projection, version).await
    }
}
