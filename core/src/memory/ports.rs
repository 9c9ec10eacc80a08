//! The ports of the store, each a lock held for one step and never across an await.

use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use crate::codec::PayloadCodec;
use crate::position::Position;
use crate::projection::{CatalogEntry, ModelDefinition, ParkedEvent, Preparation};
use crate::read_model::{ModelTable, Row, RowKey, Select, Table, Test};
use crate::receipt::Receipt;
use crate::store::{
    Append, CheckpointChange, CheckpointId, Deadline, EventStore, Fence, KeyEntry, LeaseHolder,
    LogPage, Page, ProcessStore, ReadAll, ReadModelStore, ReadStream, RowChange, SnapshotStore,
    StoreError, StoredSnapshot, UnitOfWork, UnitOfWorkStore, WaitingCommand, WriteError,
};
use crate::stream::{StreamHead, StreamId};
use crate::timestamp::Timestamp;

#[async_trait]
impl EventStore for MemoryStore {
    async fn append(&self, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError> {
        let mut work = UnitOfWork::new();
        work.appends = appends;
        self.commit(work).await
    }

    async fn stream_page(&self, read: &ReadStream) -> Result<Page, StoreError> {
        Ok(self.read().log.stream_page(read))
    }

    async fn log_page(&self, read: &ReadAll) -> Result<LogPage, StoreError> {
        let state = self.read();
        if read.after > state.log.head() {
            return Err(StoreError::ahead_of_the_log(read.after, state.log.head()));
        }
        Ok(state.log.page(read))
    }

    async fn stream_head(&self, stream_id: &StreamId) -> Result<StreamHead, StoreError> {
        Ok(self.read().log.stream_head(stream_id, self.shared.clock.now()))
    }

    async fn head(&self) -> Result<Position, StoreError> {
        Ok(self.read().log.head())
    }

    async fn find_key(
        &self,
        stream_id: &StreamId,
        key: &str,
    ) -> Result<Option<KeyEntry>, StoreError> {
        let state = self.read();
        let now = state.now(&*self.shared.clock);
        Ok(state.keys.find(stream_id, key, now).cloned())
    }

    async fn purge_keys(&self) -> Result<u64, StoreError> {
        let mut state = self.write();
        let now = state.now(&*self.shared.clock);
        Ok(state.keys.remove_expired(now, usize::MAX))
    }

    async fn wait_for_events(&self, after: Position) -> Result<(), StoreError> {
        let mut head = self.shared.head.subscribe();
        match head.wait_for(|head| *head > after).await {
            Ok(_) => Ok(()),
            Err(error) => Err(StoreError::other("the store is gone").with_source(error)),
        }
    }

    fn unit_of_work(&self) -> Option<&dyn UnitOfWorkStore> {
        Some(self)
    }

    fn codec(&self) -> &dyn PayloadCodec {
        &*self.shared.codec
    }
}

#[async_trait]
impl UnitOfWorkStore for MemoryStore {
    async fn commit(&self, work: UnitOfWork) -> Result<Vec<Receipt>, WriteError> {
        let mut state = self.write();
        let now = state.now(&*self.shared.clock);
        let receipts = state.commit(work, now)?;
        // Told under the lock, so that the head that waiters see never goes back.
        let head = state.log.head();
        self.shared.head.send_if_modified(|told| std::mem::replace(told, head) != head);
        Ok(receipts)
    }
}

#[async_trait]
impl SnapshotStore for MemoryStore {
    async fn load_snapshot(
        &self,
        stream_id: &StreamId,
        snapshot_version: u32,
    ) -> Result<Option<StoredSnapshot>, StoreError> {
        let state = self.read();
        let kept = state.snapshots.get(&(stream_id.clone(), snapshot_version));
        Ok(kept.map(|(snapshot, _)| snapshot.clone()))
    }

    async fn save_snapshot(&self, snapshot: StoredSnapshot) -> Result<(), StoreError> {
        let key = (snapshot.stream_id.clone(), snapshot.snapshot_version);
        let mut state = self.write();
        let now = state.now(&*self.shared.clock);
        state.snapshots.insert(key, (snapshot, now));
        Ok(())
    }
}

#[async_trait]
impl ReadModelStore for MemoryStore {
    async fn prepare(&self, definition: &ModelDefinition) -> Result<CatalogEntry, StoreError> {
        let mut state = self.write();
        let adds = matches!(state.models.preparation(definition), Preparation::Add { .. });
        let mut entry = state.models.prepare(definition)?;
        // What is built has its columns from a release that does not know the new ones.
        if let Some(built) = entry.building.filter(|_| adds) {
            state.models.drop_generation(definition, built);
            state.forget_reader(&definition.reader(built));
            entry.building = None;
        }
        Ok(state.with_shards(entry))
    }

    async fn catalog(&self) -> Result<Vec<CatalogEntry>, StoreError> {
        let state = self.read();
        Ok(state.models.catalog().into_iter().map(|entry| state.with_shards(entry)).collect())
    }

    async fn begin_generation(
        &self,
        definition: &ModelDefinition,
        fence: &Fence,
    ) -> Result<u32, WriteError> {
        let mut state = self.write();
        state.check_fence(fence)?;
        let generation = state.models.begin_generation(definition)?;
        state.forget_reader(&definition.reader(generation));
        Ok(generation)
    }

    async fn switch_generation(
        &self,
        definition: &ModelDefinition,
        generation: u32,
        fence: &Fence,
        head: Position,
    ) -> Result<bool, WriteError> {
        self.write().switch_generation((definition, generation), fence, head)
    }

    async fn drop_generation(
        &self,
        definition: &ModelDefinition,
        generation: u32,
        fence: &Fence,
    ) -> Result<(), WriteError> {
        let mut state = self.write();
        state.check_fence(fence)?;
        if state.models.drop_generation(definition, generation) {
            state.forget_reader(&definition.reader(generation));
        }
        Ok(())
    }

    async fn set_paused(
        &self,
        projection: &str,
        version: u32,
        paused: bool,
    ) -> Result<(), StoreError> {
        self.write().models.set_paused(projection, version, paused);
        Ok(())
    }

    async fn rows(
        &self,
        table: &ModelTable,
        keys: &[RowKey],
        tests: &[Test],
    ) -> Result<Vec<Row>, StoreError> {
        Ok(self.read().models.rows(table, keys, tests))
    }

    async fn select(
        &self,
        table: &'static Table,
        version: u32,
        select: &Select,
    ) -> Result<Option<Vec<Row>>, StoreError> {
        Ok(self.read().models.select(table, version, select))
    }

    async fn count(
        &self,
        table: &'static Table,
        version: u32,
        tests: &[Test],
    ) -> Result<Option<u64>, StoreError> {
        let select = tests.iter().cloned().fold(Select::default(), Select::test);
        Ok(self.read().models.select(table, version, &select).map(|rows| rows.len() as u64))
    }

    async fn checkpoint(&self, id: &CheckpointId) -> Result<Option<Position>, StoreError> {
        Ok(self.read().checkpoint(id))
    }

    async fn claim_lease(
        &self,
        id: &CheckpointId,
        owner: &str,
        lifetime: Duration,
    ) -> Result<Option<Fence>, StoreError> {
        let now = self.shared.clock.now();
        Ok(self.write().claim_lease(id, owner, lifetime, now))
    }

    async fn release_lease(&self, fence: &Fence) -> Result<(), StoreError> {
        self.write().release_lease(fence);
        Ok(())
    }

    async fn leases(&self, prefix: &str) -> Result<Vec<LeaseHolder>, StoreError> {
        let now = self.shared.clock.now();
        Ok(self.read().leases(prefix, now))
    }

    async fn write_rows(
        &self,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError> {
        let mut work = UnitOfWork::new().checkpoint(checkpoint);
        work.rows = rows;
        self.commit(work).await.map(drop)
    }

    async fn parked(
        &self,
        reader: &CheckpointId,
        key: Option<&str>,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        Ok(self.read().models.parked(reader, key))
    }

    fn row_codec(&self) -> &dyn PayloadCodec {
        &*self.shared.codec
    }
}

#[async_trait]
impl ProcessStore for MemoryStore {
    async fn outgoing(
        &self,
        category: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<WaitingCommand>, StoreError> {
        let state = self.read();
        let waiting = state.outgoing.range(after.saturating_add(1)..);
        let of_category = waiting.filter(|(_, command)| command.process.category() == category);
        Ok(of_category
            .take(limit)
            .map(|(&number, command)| WaitingCommand { number, command: command.clone() })
            .collect())
    }

    async fn due_deadlines(
        &self,
        category: &str,
        at: Timestamp,
        after: Option<&Deadline>,
        limit: usize,
    ) -> Result<Vec<Deadline>, StoreError> {
        let state = self.read();
        let mut due: Vec<Deadline> = (state.deadlines.iter())
            .filter(|((process, _), due)| **due <= at && process.category() == category)
            .map(|((process, name), due)| Deadline {
                due: *due,
                process: process.clone(),
                name: name.clone(),
            })
            .filter(|deadline| after.is_none_or(|after| deadline > after))
            .collect();
        due.sort();
        due.truncate(limit);
        Ok(due)
    }
}
