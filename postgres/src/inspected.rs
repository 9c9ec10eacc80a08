//! What operators ask of the store.

use std::time::Duration;

use annals::projection::ParkedEvent;
use annals::{
    CheckpointId, InspectedStore, ParkedKey, PartSize, Position, ReaderSeen, SnapshotSeen,
    SnapshotsDropped, StoreError, StreamId, StreamSize, StreamsChecked,
};
use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::append::{bounded, unsigned};
use crate::error::store_error;
use crate::instant::Instant;
use crate::models::read_parked_event;
use crate::snapshots;
use crate::store::PostgresStore;

/// What was found, or what a row did not read as.
type Found<T> = Result<T, sqlx::Error>;

#[async_trait]
impl InspectedStore for PostgresStore {
    async fn stream_heads(
        &self,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<Vec<StreamSize>, StoreError> {
        let (doing, statements) = ("list streams", &self.database().statements);
        let after = after.map_or("", StreamId::as_str);
        let query = || statements.stream_heads().bind(after).bind(bounded(limit as u64));
        let rows = self.database().fetch_all(doing, query).await?;
        all(doing, &rows, stream_size)
    }

    async fn grown_streams(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<StreamSize>, StoreError> {
        let (doing, statements) = ("list streams that grow", &self.database().statements);
        let after = bounded(after.get());
        let query = || statements.grown_streams().bind(after).bind(bounded(limit as u64));
        let rows = self.database().fetch_all(doing, query).await?;
        all(doing, &rows, stream_size)
    }

    async fn check_streams(
        &self,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<StreamsChecked, StoreError> {
        let (doing, statements) = ("check streams", &self.database().statements);
        let after = after.map_or("", StreamId::as_str);
        let query = || statements.check_streams().bind(after).bind(bounded(limit as u64));
        let rows = self.database().fetch_all(doing, query).await?;
        let mut checked = StreamsChecked::default();
        for found in all(doing, &rows, stream_range)? {
            let (stream_id, events, first, last) = found;
            checked.last = Some(stream_id.clone());
            checked.add(stream_id, events, first, last);
        }
        Ok(checked)
    }

    async fn readers(&self) -> Result<Vec<ReaderSeen>, StoreError> {
        let (doing, statements) = ("list readers", &self.database().statements);
        let rows = self.database().fetch_all(doing, || statements.readers()).await?;
        all(doing, &rows, reader)
    }

    async fn parked_keys(&self, prefix: &str, limit: usize) -> Result<Vec<ParkedKey>, StoreError> {
        let (doing, statements) = ("list parked events", &self.database().statements);
        let query = || statements.parked_keys().bind(prefix).bind(bounded(limit as u64));
        let rows = self.database().fetch_all(doing, query).await?;
        all(doing, &rows, parked_key)
    }

    async fn snapshots(
        &self,
        after: Option<(&StreamId, u32)>,
        limit: usize,
    ) -> Result<Vec<SnapshotSeen>, StoreError> {
        let (doing, statements) = ("list snapshots", &self.database().statements);
        let (name, version) =
            after.map_or(("", 0), |(stream_id, version)| (stream_id.as_str(), i64::from(version)));
        let limit = bounded(limit as u64);
        let query = || statements.snapshots_seen().bind(name).bind(version).bind(limit);
        let rows = self.database().fetch_all(doing, query).await?;
        all(doing, &rows, snapshot)
    }

    async fn drop_snapshots(&self, which: SnapshotsDropped) -> Result<u64, StoreError> {
        let database = self.database();
        match which {
            SnapshotsDropped::Surplus { keep } => snapshots::drop_surplus(database, keep).await,
            SnapshotsDropped::OlderThan(age) => snapshots::drop_old(database, age).await,
            _ => Err(StoreError::invalid("this store does not know which snapshots are meant")),
        }
    }

    async fn sizes(&self) -> Result<Vec<PartSize>, StoreError> {
        let (doing, statements) = ("measure tables", &self.database().statements);
        let rows = self.database().fetch_all(doing, || statements.sizes()).await?;
        all(doing, &rows, part_size)
    }
}

fn all<T>(
    doing: &str,
    rows: &[PgRow],
    read: impl Fn(&PgRow) -> Found<T>,
) -> Result<Vec<T>, StoreError> {
    let found: Found<Vec<T>> = rows.iter().map(read).collect();
    found.map_err(|error| store_error(doing, error))
}

fn number(row: &PgRow, column: &str) -> Found<u64> {
    Ok(unsigned(row.try_get(column)?))
}

fn small(row: &PgRow, column: &str) -> Found<u32> {
    Ok(u32::try_from(number(row, column)?).unwrap_or(u32::MAX))
}

fn instant(row: &PgRow, column: &str) -> Found<annals::Timestamp> {
    Ok(row.try_get::<Instant, _>(column)?.0)
}

fn stream_id(row: &PgRow) -> Found<StreamId> {
    Ok(StreamId::from_name(row.try_get::<&str, _>("stream_id")?))
}

fn stream_size(row: &PgRow) -> Found<StreamSize> {
    let (version, events) = (number(row, "stream_version")?, number(row, "events")?);
    Ok(StreamSize::new(stream_id(row)?, version, events, instant(row, "recorded_at")?))
}

fn stream_range(row: &PgRow) -> Found<(StreamId, u64, u64, u64)> {
    Ok((stream_id(row)?, number(row, "events")?, number(row, "first")?, number(row, "last")?))
}

fn checkpoint_id(row: &PgRow) -> Found<CheckpointId> {
    let name = row.try_get("name")?;
    Ok(CheckpointId { name, version: small(row, "version")?, shard: small(row, "shard")? })
}

fn reader(row: &PgRow) -> Found<ReaderSeen> {
    let position: Option<i64> = row.try_get("position")?;
    let position = position.map(|position| Position::from(unsigned(position)));
    let left = Duration::from_micros(number(row, "left_micros")?);
    let seen = ReaderSeen::new(checkpoint_id(row)?, position, number(row, "epoch")?);
    Ok(seen.with_owner(row.try_get("owner")?, left))
}

fn parked_key(row: &PgRow) -> Found<ParkedKey> {
    let first: ParkedEvent = read_parked_event(&checkpoint_id(row)?, row)?;
    Ok(ParkedKey::new(first, number(row, "events")?))
}

fn snapshot(row: &PgRow) -> Found<SnapshotSeen> {
    let versions = (small(row, "snapshot_version")?, number(row, "stream_version")?);
    let (saved_at, bytes) = (instant(row, "saved_at")?, number(row, "bytes")?);
    Ok(SnapshotSeen::new(stream_id(row)?, versions, saved_at, bytes))
}

fn part_size(row: &PgRow) -> Found<PartSize> {
    let rows: i64 = row.try_get("rows")?;
    let name: String = row.try_get("name")?;
    Ok(PartSize::new(name, u64::try_from(rows).ok(), Some(number(row, "bytes")?)))
}
