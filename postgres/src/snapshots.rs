//! Snapshots: loaded, saved, and purged a few at a time, beside those who write.

use std::time::Duration;

use annals::shape::Fingerprint;
use annals::{Payload, StoreError, StoredSnapshot, StreamId};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::append::{bounded, micros, unsigned};
use crate::database::{Database, Query};
use crate::error::store_error;

/// Loads the snapshot of a stream.
pub(crate) async fn load(
    database: &Database,
    stream_id: &StreamId,
    version: u32,
) -> Result<Option<StoredSnapshot>, StoreError> {
    let doing = "load a snapshot";
    let load = || {
        let load = database.statements.snapshot_load();
        load.bind(stream_id.as_str()).bind(i64::from(version))
    };
    let Some(row) = database.fetch_optional(doing, load).await? else { return Ok(None) };
    read(&row, 0, stream_id, version).map_err(|error| store_error(doing, error))
}

/// Makes a snapshot of the four columns of a row that begin with `first`; `None` if there is none in them.
pub(crate) fn read(
    row: &PgRow,
    first: usize,
    stream_id: &StreamId,
    version: u32,
) -> Result<Option<StoredSnapshot>, sqlx::Error> {
    // The statements say of which types they are, as they do of an event's.
    let stream_version: Option<i64> = row.try_get_unchecked(first)?;
    let Some(stream_version) = stream_version else { return Ok(None) };
    let event_id = row.try_get_unchecked(first + 1)?;
    let fingerprint: Option<String> = row.try_get_unchecked(first + 2)?;
    let data = Payload::new(row.try_get_unchecked::<&str, _>(first + 3)?);
    let snapshot = StoredSnapshot::new(stream_id.clone(), unsigned(stream_version), event_id, data);
    Ok(Some(snapshot.with_shape(version, fingerprint.map(Fingerprint::new))))
}

/// Saves a snapshot in the place of the one of the same stream and version.
pub(crate) async fn save(database: &Database, snapshot: &StoredSnapshot) -> Result<(), StoreError> {
    let save = || {
        database
            .statements
            .snapshot_save()
            .bind(snapshot.stream_id.as_str())
            .bind(i64::from(snapshot.snapshot_version))
            .bind(bounded(snapshot.stream_version))
            .bind(snapshot.event_id)
            .bind(snapshot.fingerprint.as_ref().map(Fingerprint::as_str))
            .bind(snapshot.data.as_str())
    };
    database.execute("save a snapshot", save).await.map(drop)
}

/// How many snapshots one statement removes.
const AT_ONCE: i64 = 1_000;

const DOING: &str = "purge snapshots";

/// Removes what is not kept.
pub(crate) async fn purge(database: &Database) -> Result<u64, StoreError> {
    let mut purged = drop_surplus(database, database.snapshots.versions).await?;
    if let Some(lifetime) = database.snapshots.lifetime {
        purged += drop_old(database, lifetime).await?;
    }
    Ok(purged)
}

/// Removes those of which a stream has as many of higher versions as are kept.
pub(crate) async fn drop_surplus(database: &Database, keep: u32) -> Result<u64, StoreError> {
    let versions = i64::from(keep.max(1));
    all(database, || database.statements.snapshots_surplus().bind(AT_ONCE).bind(versions)).await
}

/// Removes those that were saved longer ago than this.
pub(crate) async fn drop_old(database: &Database, age: Duration) -> Result<u64, StoreError> {
    all(database, || database.statements.snapshots_old().bind(AT_ONCE).bind(micros(age))).await
}

/// Runs a statement until it finds less than it could remove.
async fn all<'q>(database: &Database, query: impl Fn() -> Query<'q>) -> Result<u64, StoreError> {
    let mut purged = 0;
    loop {
        let removed = database.execute(DOING, &query).await?;
        purged += removed;
        if removed < unsigned(AT_ONCE) {
            return Ok(purged);
        }
    }
}
