//! The ports, each handed to the module that does it.

use std::any::Any;
use std::time::Duration;

use annals::projection::{CatalogEntry, ModelDefinition, ParkedEvent};
use annals::read_model::{ModelTable, Row as ModelRow, RowKey, Select, Table, Test};
use annals::{
    Append, CheckpointChange, CheckpointId, Deadline, Direction, EventFilter, EventStore, Fence,
    KeyEntry, LeaseHolder, LogPage, OutgoingCommand, Page, Payload, PayloadCodec, Position,
    ProcessStore, ReadAll, ReadModelStore, ReadStream, Receipt, RowChange, SnapshotPage,
    SnapshotStore, StoreError, StoredSnapshot, StreamHead, StreamId, Timestamp, UnitOfWork,
    UnitOfWorkStore, WaitingCommand, WriteError,
};
use async_trait::async_trait;
use sqlx::Row;

use crate::append::{bounded, key_entry, unsigned};
use crate::error::store_error;
use crate::instant::Instant;
use crate::store::PostgresStore;
use crate::{lease, models, read, snapshots, unit};

/// How many expired keys one statement removes.
const PURGED_AT_ONCE: i64 = 1_000;

#[async_trait]
impl EventStore for PostgresStore {
    async fn append(&self, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError> {
        self.inner.appender.append(appends).await
    }

    async fn stream_page(&self, read: &ReadStream) -> Result<Page, StoreError> {
        read::stream_page(self.database(), read).await
    }

    async fn log_page(&self, read: &ReadAll) -> Result<LogPage, StoreError> {
        read::log_page(self.database(), &self.inner.wake, read).await
    }

    async fn stream_head(&self, stream_id: &StreamId) -> Result<StreamHead, StoreError> {
        read::stream_head(self.database(), stream_id).await
    }

    async fn head(&self) -> Result<Position, StoreError> {
        Ok(self.inner.wake.ceiling(self.database()).await?.readable)
    }

    async fn barrier(&self) -> Result<Position, StoreError> {
        self.inner.wake.barrier(self.database()).await
    }

    async fn count_events(&self, filter: &EventFilter, to: Position) -> Result<u64, StoreError> {
        read::count_events(self.database(), filter, to).await
    }

    async fn find_key(
        &self,
        stream_id: &StreamId,
        key: &str,
    ) -> Result<Option<KeyEntry>, StoreError> {
        let doing = "look up an idempotency key";
        let row = self
            .database()
            .fetch_optional(doing, || {
                self.database().statements.keys().bind(&[stream_id.as_str()][..]).bind(&[key][..])
            })
            .await?;
        let entry = row.map(|row| key_entry(&row)).transpose();
        Ok(entry.map_err(|error| store_error(doing, error))?.map(|(_, _, entry)| entry))
    }

    async fn purge_keys(&self) -> Result<u64, StoreError> {
        let mut purged = 0;
        loop {
            let removed = self
                .database()
                .execute("purge idempotency keys", || {
                    self.database().statements.purge_keys().bind(PURGED_AT_ONCE)
                })
                .await?;
            purged += removed;
            if removed < unsigned(PURGED_AT_ONCE) {
                return Ok(purged);
            }
        }
    }

    async fn wait_for_events(&self, after: Position) -> Result<(), StoreError> {
        self.inner.wake.wait(&self.inner.database, after).await
    }

    fn unit_of_work(&self) -> Option<&dyn UnitOfWorkStore> {
        Some(self)
    }

    fn codec(&self) -> &dyn PayloadCodec {
        &*self.database().codec
    }
}

#[async_trait]
impl UnitOfWorkStore for PostgresStore {
    async fn commit(&self, work: UnitOfWork) -> Result<Vec<Receipt>, WriteError> {
        let database = self.inner.database.clone();
        // A task of its own: a caller that goes away leaves no transaction half done on a connection of the pool.
        let first = work.appends.first().map(|append| append.stream_id.clone());
        let stores_events = work.appends.iter().any(|append| !append.events.is_empty());
        let committing = tokio::spawn(async move { unit::commit(&database, work).await });
        let receipts = match committing.await {
            Ok(answer) => answer?,
            Err(error) => {
                let message = "the task that commits ended before it had an answer";
                let source = StoreError::other(message).with_source(error);
                return Err(match first {
                    Some(stream_id) => WriteError::UnknownOutcome { stream_id, source },
                    None => WriteError::UnknownCommit { source },
                });
            }
        };
        if stores_events {
            self.inner.wake.tell(&self.inner.database);
        }
        Ok(receipts)
    }
}

#[async_trait]
impl SnapshotStore for PostgresStore {
    async fn load_snapshot(
        &self,
        stream_id: &StreamId,
        snapshot_version: u32,
    ) -> Result<Option<StoredSnapshot>, StoreError> {
        snapshots::load(self.database(), stream_id, snapshot_version).await
    }

    async fn snapshot_page(
        &self,
        read: &ReadStream,
        snapshot_version: u32,
    ) -> Result<Option<SnapshotPage>, StoreError> {
        match read.direction {
            Direction::Forwards if read.to == u64::MAX => {
                read::snapshot_page(self.database(), read, snapshot_version).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn save_snapshot(&self, snapshot: StoredSnapshot) -> Result<(), StoreError> {
        snapshots::save(self.database(), &snapshot).await
    }
}

#[async_trait]
impl ReadModelStore for PostgresStore {
    async fn prepare(&self, definition: &ModelDefinition) -> Result<CatalogEntry, StoreError> {
        models::prepare(self.database(), definition).await
    }

    async fn catalog(&self) -> Result<Vec<CatalogEntry>, StoreError> {
        models::catalog(self.database()).await
    }

    async fn begin_generation(
        &self,
        definition: &ModelDefinition,
        fence: &Fence,
    ) -> Result<u32, WriteError> {
        models::begin_generation(self.database(), definition, fence).await
    }

    async fn switch_generation(
        &self,
        definition: &ModelDefinition,
        generation: u32,
        fence: &Fence,
        head: Position,
    ) -> Result<bool, WriteError> {
        models::switch_generation(self.database(), (definition, generation), fence, head).await
    }

    async fn drop_generation(
        &self,
        definition: &ModelDefinition,
        generation: u32,
        fence: &Fence,
    ) -> Result<(), WriteError> {
        models::drop_generation(self.database(), (definition, generation), fence).await
    }

    async fn caught_up(&self, definition: &ModelDefinition) -> Result<(), StoreError> {
        models::caught_up(self.database(), definition).await
    }

    async fn set_paused(
        &self,
        projection: &str,
        version: u32,
        paused: bool,
    ) -> Result<(), StoreError> {
        models::set_paused(self.database(), projection, version, paused).await
    }

    async fn rows(
        &self,
        table: &ModelTable,
        keys: &[RowKey],
        tests: &[Test],
    ) -> Result<Vec<ModelRow>, StoreError> {
        models::rows(self.database(), table, keys, tests).await
    }

    async fn select(
        &self,
        table: &'static Table,
        version: u32,
        select: &Select,
    ) -> Result<Option<Vec<ModelRow>>, StoreError> {
        models::select(self.database(), table, version, select).await
    }

    async fn count(
        &self,
        table: &'static Table,
        version: u32,
        tests: &[Test],
    ) -> Result<Option<u64>, StoreError> {
        models::count(self.database(), table, version, tests).await
    }

    async fn checkpoint(&self, id: &CheckpointId) -> Result<Option<Position>, StoreError> {
        let doing = "read a checkpoint";
        let row = self
            .database()
            .fetch_optional(doing, || {
                self.database()
                    .statements
                    .checkpoint()
                    .bind(&id.name)
                    .bind(i64::from(id.version))
                    .bind(i64::from(id.shard))
            })
            .await?;
        let position: Option<Option<i64>> =
            row.map(|row| row.try_get(0)).transpose().map_err(|error| store_error(doing, error))?;
        Ok(position.flatten().map(|position| Position::from(unsigned(position))))
    }

    async fn claim_lease(
        &self,
        id: &CheckpointId,
        owner: &str,
        lifetime: Duration,
    ) -> Result<Option<Fence>, StoreError> {
        lease::claim(self.database(), id, owner, lifetime).await
    }

    async fn release_lease(&self, fence: &Fence) -> Result<(), StoreError> {
        lease::release(self.database(), fence).await
    }

    async fn leases(&self, prefix: &str) -> Result<Vec<LeaseHolder>, StoreError> {
        models::leases(self.database(), prefix).await
    }

    async fn write_rows(
        &self,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError> {
        let database = self.inner.database.clone();
        // A task of its own: what a caller that went away has sent is answered before its connection is used again.
        let writing =
            tokio::spawn(async move { models::write_rows(&database, &rows, &checkpoint).await });
        writing.await.unwrap_or_else(|error| {
            let message = "the task that writes rows ended before it had an answer";
            Err(StoreError::other(message).with_source(error).into())
        })
    }

    async fn parked(
        &self,
        reader: &CheckpointId,
        key: Option<&str>,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        models::parked(self.database(), reader, key).await
    }

    fn row_codec(&self) -> &dyn PayloadCodec {
        &*self.database().codec
    }

    fn backend(&self) -> Option<&(dyn Any + Send + Sync)> {
        Some(self)
    }
}

#[async_trait]
impl ProcessStore for PostgresStore {
    async fn outgoing(
        &self,
        category: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<WaitingCommand>, StoreError> {
        let doing = "read outgoing commands";
        let found = self
            .database()
            .fetch_all(doing, || {
                self.database()
                    .statements
                    .outgoing()
                    .bind(category)
                    .bind(bounded(after))
                    .bind(bounded(limit as u64))
            })
            .await?;
        let commands: Result<Vec<_>, sqlx::Error> = found
            .iter()
            .map(|row| {
                let metadata: &str = row.try_get(4)?;
                let metadata = serde_json::from_str(metadata)
                    .map_err(|error| sqlx::Error::Decode(error.into()))?;
                let command = OutgoingCommand {
                    process: StreamId::from_name(row.try_get::<&str, _>(0)?),
                    key: row.try_get(1)?,
                    command: row.try_get(2)?,
                    data: Payload::new(row.try_get::<&str, _>(3)?),
                    metadata: std::sync::Arc::new(metadata),
                };
                Ok(WaitingCommand { number: unsigned(row.try_get(5)?), command })
            })
            .collect();
        commands.map_err(|error| store_error(doing, error))
    }

    async fn due_deadlines(
        &self,
        category: &str,
        at: Timestamp,
        after: Option<&Deadline>,
        limit: usize,
    ) -> Result<Vec<Deadline>, StoreError> {
        let doing = "read due deadlines";
        let found = self
            .database()
            .fetch_all(doing, || {
                self.database()
                    .statements
                    .deadlines_due()
                    .bind(category)
                    .bind(Instant(at))
                    .bind(after.map(|after| Instant(after.due)))
                    .bind(after.map(|after| after.process.as_str()))
                    .bind(after.map(|after| after.name.as_str()))
                    .bind(bounded(limit as u64))
            })
            .await?;
        let deadlines: Result<Vec<_>, sqlx::Error> = found
            .iter()
            .map(|row| {
                let due: Instant = row.try_get(2)?;
                Ok(Deadline {
                    process: StreamId::from_name(row.try_get::<&str, _>(0)?),
                    name: row.try_get(1)?,
                    due: due.0,
                })
            })
            .collect();
        deadlines.map_err(|error| store_error(doing, error))
    }
}
