//! Faults of what readers own: their leases, checkpoints and shards, and the rows that they write.

use std::sync::Mutex;
use std::time::Duration;

use annals::projection::{CatalogEntry, ModelDefinition};
use annals::shards::{Division, Shard, Standing};
use annals::{
    CheckpointChange, CheckpointId, Fence, LeaseHolder, Position, ReadModelStore, Receipt,
    RowChange, StoreError, UnitOfWork, UnitOfWorkStore, WriteError,
};
use annals_testing::conformance::faulty::Fault;
use async_trait::async_trait;

/// Writes under a lease that has passed on.
pub struct FenceUnchecked;

#[async_trait]
impl<S: Sync> Fault<S> for FenceUnchecked {
    async fn commit(&self, store: &S, mut work: UnitOfWork) -> Result<Vec<Receipt>, WriteError>
    where
        S: UnitOfWorkStore,
    {
        match store.commit(work.clone()).await {
            Err(WriteError::Fenced { current, .. }) => {
                work.checkpoint.iter_mut().for_each(|change| change.fence.epoch = current);
                store.commit(work).await
            }
            answer => answer,
        }
    }

    async fn write_rows(
        &self,
        store: &S,
        rows: Vec<RowChange>,
        mut checkpoint: CheckpointChange,
    ) -> Result<(), WriteError>
    where
        S: ReadModelStore,
    {
        match store.write_rows(rows.clone(), checkpoint.clone()).await {
            Err(WriteError::Fenced { current, .. }) => {
                checkpoint.fence.epoch = current;
                store.write_rows(rows, checkpoint).await
            }
            answer => answer,
        }
    }
}

/// Has new shards begin where the furthest of the old ones is, as if all had come there.
pub struct FurthestShard;

#[async_trait]
impl<S: Sync> Fault<S> for FurthestShard {
    async fn divide(
        &self,
        store: &S,
        reader: &CheckpointId,
        division: Division,
    ) -> Result<Standing, StoreError>
    where
        S: ReadModelStore,
    {
        let divided = store.divide(reader, division).await?;
        let furthest = divided.highest();
        if divided.lowest() == furthest {
            return Ok(divided);
        }
        for shard in Shard::all(divided.layout.shards) {
            let id = CheckpointId { shard: shard.index(), ..reader.clone() };
            if let Some(fence) = store.claim_lease(&id, "fault", Duration::from_secs(60)).await? {
                let change = CheckpointChange { fence: fence.clone(), position: furthest };
                store
                    .write_rows(Vec::new(), change)
                    .await
                    .map_err(|error| StoreError::other(error.to_string()))?;
                store.release_lease(&fence).await?;
            }
        }
        store.standing(reader).await
    }
}

/// Writes though its checkpoint stands further on, as one of two writers under one lease.
pub struct BehindItsCheckpoint;

#[async_trait]
impl<S: Sync> Fault<S> for BehindItsCheckpoint {
    async fn commit(&self, store: &S, mut work: UnitOfWork) -> Result<Vec<Receipt>, WriteError>
    where
        S: UnitOfWorkStore,
    {
        match store.commit(work.clone()).await {
            Err(WriteError::MovedBack { position, .. }) => {
                work.checkpoint.iter_mut().for_each(|change| change.position = position);
                store.commit(work).await
            }
            answer => answer,
        }
    }
}

/// Lists no lease that has run out, so that nobody sees whose process died.
pub struct OnlyLeasesThatAreHeld;

#[async_trait]
impl<S: Sync> Fault<S> for OnlyLeasesThatAreHeld {
    async fn leases(&self, store: &S, prefix: &str) -> Result<Vec<LeaseHolder>, StoreError>
    where
        S: ReadModelStore,
    {
        let mut listed = store.leases(prefix).await?;
        listed.retain(LeaseHolder::is_held);
        Ok(listed)
    }
}

/// Lets rows answer whoever has built them, as if all knew the columns that the newest release has added.
#[derive(Default)]
pub struct ColumnsUnchecked {
    prepared: Mutex<Option<ModelDefinition>>,
}

#[async_trait]
impl<S: Sync> Fault<S> for ColumnsUnchecked {
    async fn prepare(
        &self,
        store: &S,
        definition: &ModelDefinition,
    ) -> Result<CatalogEntry, StoreError>
    where
        S: ReadModelStore,
    {
        *self.prepared.lock().expect("nobody panics with it") = Some(definition.clone());
        store.prepare(definition).await
    }

    async fn switch_generation(
        &self,
        store: &S,
        (definition, generation): (&ModelDefinition, u32),
        fence: &Fence,
        head: Position,
    ) -> Result<bool, WriteError>
    where
        S: ReadModelStore,
    {
        let prepared = self.prepared.lock().expect("nobody panics with it").clone();
        let newest = prepared.filter(|newest| newest.projection == definition.projection);
        let definition = newest.as_ref().unwrap_or(definition);
        store.switch_generation(definition, generation, fence, head).await
    }
}
