//! The port of stores that hold rows for a while only: folded beside all that is kept, read, and gone.

use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::projection::ModelDefinition;
use crate::read_model::{ModelTable, Row, Select, Test};

/// Holds the rows of projections that are tried out. They are written as all rows are, by whoever holds the lease of their reader, in
/// a generation that [is scratch](ModelTable::is_scratch); the catalog knows nothing of them.
#[async_trait]
pub trait ScratchStore: Send + Sync + 'static {
    /// Makes an empty scratch table for the rows of a definition, under a generation whose [reader](ModelDefinition::reader)'s lease
    /// the caller holds: as long as it does, the table stays.
    ///
    /// # Errors
    ///
    /// When the definition has no rows, or the store cannot be written.
    async fn begin_scratch(
        &self,
        definition: &ModelDefinition,
        generation: u32,
    ) -> Result<(), StoreError>;

    /// Reads rows of a scratch table; `None` if it is not there, or may have lost rows, as in a crash of the server.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn select_scratch(
        &self,
        table: &ModelTable,
        select: &Select,
    ) -> Result<Option<Vec<Row>>, StoreError>;

    /// Counts rows of a scratch table; `None` as of [`select_scratch`](Self::select_scratch).
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn count_scratch(
        &self,
        table: &ModelTable,
        tests: &[Test],
    ) -> Result<Option<u64>, StoreError>;

    /// Drops a scratch table, what is parked of its reader, and that reader with its lease.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn drop_scratch(
        &self,
        definition: &ModelDefinition,
        generation: u32,
    ) -> Result<(), StoreError>;

    /// Drops the scratch tables whose lease nobody holds, which those have left who died; tells how many.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn drop_left_scratch(&self) -> Result<u64, StoreError>;
}

#[async_trait]
impl<S: ScratchStore + ?Sized> ScratchStore for Arc<S> {
    async fn begin_scratch(
        &self,
        definition: &ModelDefinition,
        generation: u32,
    ) -> Result<(), StoreError> {
        (**self).begin_scratch(definition, generation).await
    }

    async fn select_scratch(
        &self,
        table: &ModelTable,
        select: &Select,
    ) -> Result<Option<Vec<Row>>, StoreError> {
        (**self).select_scratch(table, select).await
    }

    async fn count_scratch(
        &self,
        table: &ModelTable,
        tests: &[Test],
    ) -> Result<Option<u64>, StoreError> {
        (**self).count_scratch(table, tests).await
    }

    async fn drop_scratch(
        &self,
        definition: &ModelDefinition,
        generation: u32,
    ) -> Result<(), StoreError> {
        (**self).drop_scratch(definition, generation).await
    }

    async fn drop_left_scratch(&self) -> Result<u64, StoreError> {
        (**self).drop_left_scratch().await
    }
}
