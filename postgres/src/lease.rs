//! Leases of readers: how one is claimed and given up. Who writes under one is `checkpoint`'s.

use std::time::Duration;

use annals::{CheckpointId, Fence, StoreError};
use sqlx::Row;

use crate::append::{bounded, micros, unsigned};
use crate::database::Database;
use crate::error::{is_blocked, store_error};
use crate::models;

/// How long a claim waits for whoever writes under the lease, and may stand still with it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Takes or renews a lease.
///
/// Whoever writes under it holds a lock on it. Who waits for that in vain does not have the lease, and asks again.
pub(crate) async fn claim(
    database: &Database,
    id: &CheckpointId,
    owner: &str,
    lifetime: Duration,
) -> Result<Option<Fence>, StoreError> {
    let doing = "claim a lease";
    let patience = PATIENCE.min(database.longest_lock()).as_millis().max(1).to_string();
    let claim = || {
        let claim = database.statements.lease_claim();
        let claim = claim.bind(&id.name).bind(i64::from(id.version)).bind(i64::from(id.shard));
        claim.bind(owner).bind(micros(lifetime)).bind(patience.clone())
    };
    let row = match database.fetch_optional(doing, claim).await {
        Err(error) if is_blocked(&error) => {
            let held = models::leases(database, &id.name).await?;
            let is_own = held.iter().any(|held| held.id == *id && held.owner == owner);
            // It is not lost by that: a unit of its own may take long.
            return if is_own { Err(error) } else { Ok(None) };
        }
        claimed => claimed?,
    };
    let Some(row) = row else { return Ok(None) };
    let epoch: i64 = row.try_get(0).map_err(|error| store_error(doing, error))?;
    Ok(Some(Fence { id: id.clone(), epoch: unsigned(epoch) }))
}

/// Gives a lease up.
pub(crate) async fn release(database: &Database, fence: &Fence) -> Result<(), StoreError> {
    let Fence { id, epoch } = fence;
    let release = || {
        let release = database.statements.lease_release();
        let release = release.bind(&id.name).bind(i64::from(id.version)).bind(i64::from(id.shard));
        release.bind(bounded(*epoch))
    };
    database.execute("release a lease", release).await.map(drop)
}
