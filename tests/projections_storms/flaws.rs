//! Stores with a flaw: what the fence and the one transaction are for, left out on purpose.

use std::time::Duration;

use annals::prelude::*;
use annals::shards::{Division, Standing};
use annals::{CheckpointChange, CheckpointId, Fence, RowChange, ShardedStore, WriteError};
use annals_postgres::PostgresStore;
use annals_testing::conformance::faulty::Fault;

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing. It only takes its time before it writes.
    None,
    /// The checkpoint moves after the rows, by itself.
    Apart,
    /// Nobody asks whether the lease has passed on.
    Unfenced,
    /// Nor whether anybody has it.
    Unowned,
    /// New shards begin where the furthest of the old ones is, as if all had come there.
    Furthest,
    /// New shards forget which of their slices are further on than they are.
    NoFloors,
}

impl Flaw {
    pub const ALL: [Self; 6] =
        [Self::None, Self::Apart, Self::Unfenced, Self::Unowned, Self::Furthest, Self::NoFloors];
}

async fn pause() {
    tokio::time::sleep(Duration::from_micros(fastrand::u64(..8_000))).await;
}

/// The present epoch and position of a reader.
async fn stands(
    store: &PostgresStore,
    CheckpointId { name, version, shard }: &CheckpointId,
) -> Result<(u64, Position), StoreError> {
    let found: Result<(i64, i64), _> = sqlx::query_as(
        "SELECT epoch, coalesce(position, 0) FROM annals.checkpoints
          WHERE name = $1 AND version = $2 AND shard = $3",
    )
    .bind(name)
    .bind(i64::from(*version))
    .bind(i64::from(*shard))
    .fetch_one(store.pool())
    .await;
    let (epoch, position) = found.map_err(|error| {
        StoreError::unavailable("the checkpoint is not read").with_source(error)
    })?;
    Ok((epoch.unsigned_abs(), Position::from(position.unsigned_abs())))
}

#[async_trait]
impl Fault<PostgresStore> for Flaw {
    async fn write_rows(
        &self,
        store: &PostgresStore,
        rows: Vec<RowChange>,
        mut checkpoint: CheckpointChange,
    ) -> Result<(), WriteError> {
        pause().await;
        match self {
            Self::None | Self::Furthest | Self::NoFloors => {
                store.write_rows(rows, checkpoint).await
            }
            Self::Apart => {
                let (_, position) = stands(store, &checkpoint.fence.id).await?;
                let first = CheckpointChange { position, ..checkpoint.clone() };
                store.write_rows(rows, first).await?;
                pause().await;
                store.write_rows(Vec::new(), checkpoint).await
            }
            Self::Unfenced | Self::Unowned => {
                let (epoch, position) = stands(store, &checkpoint.fence.id).await?;
                checkpoint.fence.epoch = epoch;
                checkpoint.position = checkpoint.position.max(position);
                store.write_rows(rows, checkpoint).await
            }
        }
    }

    async fn claim_lease(
        &self,
        store: &PostgresStore,
        id: &CheckpointId,
        owner: &str,
        lifetime: Duration,
    ) -> Result<Option<Fence>, StoreError> {
        let fence = store.claim_lease(id, owner, lifetime).await?;
        if fence.is_none() && *self == Self::Unowned {
            let (epoch, _) = stands(store, id).await?;
            return Ok(Some(Fence { id: id.clone(), epoch }));
        }
        Ok(fence)
    }

    async fn divide(
        &self,
        store: &PostgresStore,
        reader: &CheckpointId,
        division: Division,
    ) -> Result<Standing, StoreError> {
        let sql = match self {
            Self::Furthest => {
                "UPDATE annals.checkpoints AS c SET position = $4
                  WHERE c.name = $1 AND c.version = $2 AND c.shard < $3"
            }
            Self::NoFloors => {
                "UPDATE annals.shards AS s SET floors = '[]'
                  WHERE s.name = $1 AND s.version = $2 AND s.of = $3 AND $4::bigint IS NOT NULL"
            }
            _ => return store.divide(reader, division).await,
        };
        let divided = store.divide(reader, division).await?;
        let flaw = sqlx::query(sql)
            .bind(&reader.name)
            .bind(i64::from(reader.version))
            .bind(i64::from(divided.layout.shards))
            .bind(divided.highest().get().cast_signed())
            .execute(store.pool())
            .await;
        flaw.map_err(|error| StoreError::unavailable("it is not divided").with_source(error))?;
        Ok(divided)
    }
}
