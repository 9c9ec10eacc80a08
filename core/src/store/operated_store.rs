//! What operators ask of a store of rows, beside what engines do: rebuilds that outlive them, and versions that go.

use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::projection::{
    ModelDefinition, Preparation, Pruned, Rebuild, RowsAtOnce, Showing, Shown,
};

/// Keeps what operators want, and what becomes of it.
#[async_trait]
pub trait OperatedStore: Send + Sync + 'static {
    /// Tells of the rebuilds that are asked for, under way or over: of each projection and version the last of all rows, and the
    /// last of each row.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn rebuilds(&self) -> Result<Vec<Rebuild>, StoreError>;

    /// Keeps a rebuild, with one [revision](Rebuild::revision) more, if what is kept has its revision still; nothing kept counts
    /// as the revision zero. `false` if it has not.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn keep_rebuild(&self, rebuild: &Rebuild) -> Result<bool, StoreError>;

    /// Tells what [`prepare`](super::ReadModelStore::prepare) would do, and does nothing.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn preparation(&self, definition: &ModelDefinition) -> Result<Preparation, StoreError>;

    /// Begins to read all rows that answer, with up to where the log was read when they were written, as they are at one instant,
    /// whatever is written until they are read.
    ///
    /// # Errors
    ///
    /// When the projection was not prepared or has no rows, or the store cannot be read.
    async fn rows_at_once(
        &self,
        definition: &ModelDefinition,
    ) -> Result<Box<dyn RowsAtOnce>, StoreError>;

    /// Has the public name show a version, whether it is newer or older than the one that is shown, if it stands as is asked for
    /// in the step that shows it.
    ///
    /// # Errors
    ///
    /// When the version was not prepared, or the store cannot be written.
    async fn show_version(
        &self,
        projection: &str,
        version: u32,
        showing: Showing,
    ) -> Result<Shown, StoreError>;

    /// Drops all that is kept of a version of a projection: its tables, its entry in the catalog, where its readers stand, and
    /// what is parked and skipped; unless someone runs it. A public name that shows it shows the newest other version.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn prune(&self, projection: &str, version: u32) -> Result<Pruned, StoreError>;
}

#[async_trait]
impl<S: OperatedStore + ?Sized> OperatedStore for Arc<S> {
    async fn rebuilds(&self) -> Result<Vec<Rebuild>, StoreError> {
        (**self).rebuilds().await
    }

    async fn keep_rebuild(&self, rebuild: &Rebuild) -> Result<bool, StoreError> {
        (**self).keep_rebuild(rebuild).await
    }

    async fn preparation(&self, definition: &ModelDefinition) -> Result<Preparation, StoreError> {
        (**self).preparation(definition).await
    }

    async fn rows_at_once(
        &self,
        definition: &ModelDefinition,
    ) -> Result<Box<dyn RowsAtOnce>, StoreError> {
        (**self).rows_at_once(definition).await
    }

    async fn show_version(
        &self,
        projection: &str,
        version: u32,
        showing: Showing,
    ) -> Result<Shown, StoreError> {
        (**self).show_version(projection, version, showing).await
    }

    async fn prune(&self, projection: &str, version: u32) -> Result<Pruned, StoreError> {
        (**self).prune(projection, version).await
    }
}
