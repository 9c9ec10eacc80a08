//! The port of rows that are not to be kept, each method handed to the module that does it.

use annals::projection::ModelDefinition;
use annals::read_model::{ModelTable, Row, Select, Test};
use annals::{ScratchStore, StoreError};
use async_trait::async_trait;

use crate::models;
use crate::store::PostgresStore;

#[async_trait]
impl ScratchStore for PostgresStore {
    async fn begin_scratch(
        &self,
        definition: &ModelDefinition,
        generation: u32,
    ) -> Result<(), StoreError> {
        models::begin_scratch(self.database(), definition, generation).await
    }

    async fn select_scratch(
        &self,
        table: &ModelTable,
        select: &Select,
    ) -> Result<Option<Vec<Row>>, StoreError> {
        models::select_scratch(self.database(), table, select).await
    }

    async fn count_scratch(
        &self,
        table: &ModelTable,
        tests: &[Test],
    ) -> Result<Option<u64>, StoreError> {
        models::count_scratch(self.database(), table, tests).await
    }

    async fn drop_scratch(
        &self,
        definition: &ModelDefinition,
        generation: u32,
    ) -> Result<(), StoreError> {
        models::drop_scratch(self.database(), definition, generation).await
    }

    async fn drop_left_scratch(&self) -> Result<u64, StoreError> {
        models::drop_left_scratch(self.database()).await
    }
}
