//! The port of readers that are divided into shards, handed to the module that does it.

use annals::shards::{Division, Standing};
use annals::{CheckpointId, Fence, ShardedStore, StoreError, WriteError};
use async_trait::async_trait;

use crate::models;
use crate::store::PostgresStore;

#[async_trait]
impl ShardedStore for PostgresStore {
    async fn standing(&self, reader: &CheckpointId) -> Result<Standing, StoreError> {
        models::standing(self.database(), reader).await
    }

    async fn divide(
        &self,
        reader: &CheckpointId,
        division: Division,
    ) -> Result<Standing, StoreError> {
        let divided = models::divide(self.database(), reader, division, &[]).await;
        divided.map_err(|error| match error {
            WriteError::Store(error) => error,
            error => StoreError::other(error.to_string()),
        })
    }
    async fn divide_under(
        &self,
        reader: &CheckpointId,
        shards: u32,
        leases: &[Fence],
    ) -> Result<Standing, WriteError> {
        models::divide(self.database(), reader, Division::FromNow(shards), leases).await
    }
}
