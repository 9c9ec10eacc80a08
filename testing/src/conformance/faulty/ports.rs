//! What a store with a fault answers: what its fault says, and what the store beneath does.

use std::time::Duration;

use annals::projection::{
    CatalogEntry, ModelDefinition, ParkedEvent, Preparation, Pruned, Rebuild, RowsAtOnce, Showing,
    Shown,
};
use annals::read_model::{ModelTable, Row, RowKey, Select, Table, Test};
use annals::shards::{Division, Standing};
use annals::{
    Append, CheckpointChange, CheckpointId, Deadline, EventFilter, EventStore, Fence, KeyEntry,
    LeaseHolder, LogPage, OperatedStore, Page, PayloadCodec, Position, ProcessStore, ReadAll,
    ReadModelStore, ReadStream, Receipt, RowChange, ScratchStore, ShardedStore, SnapshotPage,
    SnapshotStore, StoreError, StoredSnapshot, StreamHead, StreamId, Timestamp, UnitOfWork,
    UnitOfWorkStore, WaitingCommand, WriteError,
};
use async_trait::async_trait;

use super::{Fault, Faulty};

#[async_trait]
impl<S: EventStore, F: Fault<S>> EventStore for Faulty<S, F> {
    async fn append(&self, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError> {
        self.fault.append(&self.store, self.fault.appends(appends)).await
    }

    async fn stream_page(&self, read: &ReadStream) -> Result<Page, StoreError> {
        self.fault.stream_page(&self.store, read).await
    }

    async fn log_page(&self, read: &ReadAll) -> Result<LogPage, StoreError> {
        self.fault.log_page(&self.store, read).await
    }

    async fn stream_head(&self, stream_id: &StreamId) -> Result<StreamHead, StoreError> {
        self.store.stream_head(stream_id).await
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.store.head().await
    }

    async fn barrier(&self) -> Result<Position, StoreError> {
        self.store.barrier().await
    }

    async fn count_events(&self, filter: &EventFilter, to: Position) -> Result<u64, StoreError> {
        self.store.count_events(filter, to).await
    }

    async fn find_key(
        &self,
        stream_id: &StreamId,
        key: &str,
    ) -> Result<Option<KeyEntry>, StoreError> {
        self.fault.find_key(&self.store, stream_id, key).await
    }

    async fn purge_keys(&self) -> Result<u64, StoreError> {
        self.store.purge_keys().await
    }

    async fn wait_for_events(&self, after: Position) -> Result<(), StoreError> {
        self.fault.wait_for_events(&self.store, after).await
    }

    fn unit_of_work(&self) -> Option<&dyn UnitOfWorkStore> {
        self.units.map(|of| of(self))
    }

    fn codec(&self) -> &dyn PayloadCodec {
        self.store.codec()
    }
}

#[async_trait]
impl<S: SnapshotStore, F: Fault<S>> SnapshotStore for Faulty<S, F> {
    async fn load_snapshot(
        &self,
        stream_id: &StreamId,
        snapshot_version: u32,
    ) -> Result<Option<StoredSnapshot>, StoreError> {
        self.store.load_snapshot(stream_id, snapshot_version).await
    }

    async fn snapshot_page(
        &self,
        read: &ReadStream,
        snapshot_version: u32,
    ) -> Result<Option<SnapshotPage>, StoreError> {
        self.fault.snapshot_page(&self.store, read, snapshot_version).await
    }

    async fn save_snapshot(&self, snapshot: StoredSnapshot) -> Result<(), StoreError> {
        self.fault.save_snapshot(&self.store, snapshot).await
    }
}

#[async_trait]
impl<S: ReadModelStore, F: Fault<S>> OperatedStore for Faulty<S, F> {
    async fn rebuilds(&self) -> Result<Vec<Rebuild>, StoreError> {
        self.store.rebuilds().await
    }

    async fn keep_rebuild(&self, rebuild: &Rebuild) -> Result<bool, StoreError> {
        self.store.keep_rebuild(rebuild).await
    }

    async fn preparation(&self, definition: &ModelDefinition) -> Result<Preparation, StoreError> {
        self.store.preparation(definition).await
    }

    async fn rows_at_once(
        &self,
        definition: &ModelDefinition,
    ) -> Result<Box<dyn RowsAtOnce>, StoreError> {
        self.store.rows_at_once(definition).await
    }

    async fn show_version(
        &self,
        projection: &str,
        version: u32,
        showing: Showing,
    ) -> Result<Shown, StoreError> {
        self.store.show_version(projection, version, showing).await
    }

    async fn prune(&self, projection: &str, version: u32) -> Result<Pruned, StoreError> {
        self.store.prune(projection, version).await
    }
}

#[async_trait]
impl<S: ReadModelStore, F: Fault<S>> ScratchStore for Faulty<S, F> {
    async fn begin_scratch(
        &self,
        definition: &ModelDefinition,
        generation: u32,
    ) -> Result<(), StoreError> {
        self.store.begin_scratch(definition, generation).await
    }

    async fn select_scratch(
        &self,
        table: &ModelTable,
        select: &Select,
    ) -> Result<Option<Vec<Row>>, StoreError> {
        self.store.select_scratch(table, select).await
    }

    async fn count_scratch(
        &self,
        table: &ModelTable,
        tests: &[Test],
    ) -> Result<Option<u64>, StoreError> {
        self.store.count_scratch(table, tests).await
    }

    async fn drop_scratch(
        &self,
        definition: &ModelDefinition,
        generation: u32,
    ) -> Result<(), StoreError> {
        self.store.drop_scratch(definition, generation).await
    }

    async fn drop_left_scratch(&self) -> Result<u64, StoreError> {
        self.store.drop_left_scratch().await
    }
}

#[async_trait]
impl<S: ReadModelStore, F: Fault<S>> ShardedStore for Faulty<S, F> {
    async fn standing(&self, reader: &CheckpointId) -> Result<Standing, StoreError> {
        self.store.standing(reader).await
    }

    async fn divide(
        &self,
        reader: &CheckpointId,
        division: Division,
    ) -> Result<Standing, StoreError> {
        self.fault.divide(&self.store, reader, division).await
    }

    async fn divide_under(
        &self,
        reader: &CheckpointId,
        shards: u32,
        leases: &[Fence],
    ) -> Result<Standing, WriteError> {
        self.store.divide_under(reader, shards, leases).await
    }
}

#[async_trait]
impl<S: ReadModelStore, F: Fault<S>> ReadModelStore for Faulty<S, F> {
    async fn prepare(&self, definition: &ModelDefinition) -> Result<CatalogEntry, StoreError> {
        self.fault.prepare(&self.store, definition).await
    }

    async fn catalog(&self) -> Result<Vec<CatalogEntry>, StoreError> {
        self.store.catalog().await
    }

    async fn begin_generation(
        &self,
        definition: &ModelDefinition,
        fence: &Fence,
    ) -> Result<u32, WriteError> {
        self.store.begin_generation(definition, fence).await
    }

    async fn switch_generation(
        &self,
        definition: &ModelDefinition,
        generation: u32,
        fence: &Fence,
        head: Position,
    ) -> Result<bool, WriteError> {
        let built = (definition, generation);
        self.fault.switch_generation(&self.store, built, fence, head).await
    }

    async fn drop_generation(
        &self,
        definition: &ModelDefinition,
        generation: u32,
        fence: &Fence,
    ) -> Result<(), WriteError> {
        self.store.drop_generation(definition, generation, fence).await
    }

    async fn caught_up(&self, definition: &ModelDefinition) -> Result<(), StoreError> {
        self.store.caught_up(definition).await
    }

    async fn set_paused(
        &self,
        projection: &str,
        version: u32,
        paused: bool,
    ) -> Result<(), StoreError> {
        self.store.set_paused(projection, version, paused).await
    }

    async fn rows(
        &self,
        table: &ModelTable,
        keys: &[RowKey],
        tests: &[Test],
    ) -> Result<Vec<Row>, StoreError> {
        self.store.rows(table, keys, tests).await
    }

    async fn select(
        &self,
        table: &'static Table,
        version: u32,
        select: &Select,
    ) -> Result<Option<Vec<Row>>, StoreError> {
        self.store.select(table, version, select).await
    }

    async fn count(
        &self,
        table: &'static Table,
        version: u32,
        tests: &[Test],
    ) -> Result<Option<u64>, StoreError> {
        self.store.count(table, version, tests).await
    }

    async fn parked(
        &self,
        reader: &CheckpointId,
        key: Option<&str>,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        self.store.parked(reader, key).await
    }

    fn row_codec(&self) -> &dyn PayloadCodec {
        self.store.row_codec()
    }

    async fn checkpoint(&self, id: &CheckpointId) -> Result<Option<Position>, StoreError> {
        self.store.checkpoint(id).await
    }

    async fn claim_lease(
        &self,
        id: &CheckpointId,
        owner: &str,
        lifetime: Duration,
    ) -> Result<Option<Fence>, StoreError> {
        self.fault.claim_lease(&self.store, id, owner, lifetime).await
    }

    async fn release_lease(&self, fence: &Fence) -> Result<(), StoreError> {
        self.store.release_lease(fence).await
    }

    async fn leases(&self, prefix: &str) -> Result<Vec<LeaseHolder>, StoreError> {
        self.fault.leases(&self.store, prefix).await
    }

    async fn write_rows(
        &self,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError> {
        self.fault.write_rows(&self.store, rows, checkpoint).await
    }
}

#[async_trait]
impl<S: ProcessStore, F: Fault<S>> ProcessStore for Faulty<S, F> {
    async fn outgoing(
        &self,
        category: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<WaitingCommand>, StoreError> {
        self.store.outgoing(category, after, limit).await
    }

    async fn due_deadlines(
        &self,
        category: &str,
        at: Timestamp,
        after: Option<&Deadline>,
        limit: usize,
    ) -> Result<Vec<Deadline>, StoreError> {
        self.store.due_deadlines(category, at, after, limit).await
    }
}

#[async_trait]
impl<S: UnitOfWorkStore, F: Fault<S>> UnitOfWorkStore for Faulty<S, F> {
    async fn commit(&self, mut work: UnitOfWork) -> Result<Vec<Receipt>, WriteError> {
        work.appends = self.fault.appends(work.appends);
        self.fault.commit(&self.store, work).await
    }
}
