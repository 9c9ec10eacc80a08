//! The faults that the broken stores have.

use std::sync::Mutex;
use std::time::Duration;

use annals::projection::{CatalogEntry, ModelDefinition};
use annals::shards::{Division, Shard, Standing};
use annals::{
    Append, CheckpointChange, CheckpointId, EventStore, Expected, Fence, LeaseHolder, LogPage,
    Page, Payload, Position, ReadAll, ReadModelStore, ReadStream, Receipt, RowChange, SnapshotPage,
    SnapshotStore, StoreError, StoredSnapshot, UnitOfWork, UnitOfWorkStore, WriteError,
};
use annals_testing::conformance::faulty::Fault;
use async_trait::async_trait;
use uuid::Uuid;

/// No fault at all.
pub struct NoFault;

impl<S: Sync> Fault<S> for NoFault {}

/// Appends whatever version the stream has.
pub struct NoConcurrencyCheck;

#[async_trait]
impl<S: Sync> Fault<S> for NoConcurrencyCheck {
    fn appends(&self, mut appends: Vec<Append>) -> Vec<Append> {
        appends.iter_mut().for_each(|append| append.expected = Expected::Any);
        appends
    }

    async fn append(&self, store: &S, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError>
    where
        S: EventStore,
    {
        // As a round trip does, it lets others act between what was read and what is written.
        tokio::task::yield_now().await;
        store.append(appends).await
    }
}

/// Cuts expected versions to 32 bits.
pub struct NarrowVersions;

impl<S: Sync> Fault<S> for NarrowVersions {
    fn appends(&self, mut appends: Vec<Append>) -> Vec<Append> {
        for append in &mut appends {
            if let Expected::Exact(version) = &mut append.expected {
                *version &= u64::from(u32::MAX);
            }
        }
        appends
    }
}

/// Keeps the version of a shape, but not from which version on it can be read.
pub struct ForgottenReaders;

impl<S: Sync> Fault<S> for ForgottenReaders {
    fn appends(&self, mut appends: Vec<Append>) -> Vec<Append> {
        for event in appends.iter_mut().flat_map(|append| &mut append.events) {
            event.readable_from = event.schema_version;
        }
        appends
    }
}

/// Writes anew what is appended, as a column of another type would: the same JSON, but not the same text.
pub struct Rewritten;

impl<S: Sync> Fault<S> for Rewritten {
    fn appends(&self, mut appends: Vec<Append>) -> Vec<Append> {
        for event in appends.iter_mut().flat_map(|append| &mut append.events) {
            if let Ok(json) = serde_json::from_str::<serde_json::Value>(event.data.as_str()) {
                event.data = Payload::new(json.to_string());
            }
        }
        appends
    }
}

/// Keeps all that it should, but tells readers of the log that each event is of the version that its readers need.
pub struct VersionsMixedUpInTheLog;

#[async_trait]
impl<S: Sync> Fault<S> for VersionsMixedUpInTheLog {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError>
    where
        S: EventStore,
    {
        let mut page = store.log_page(read).await?;
        page.events.iter_mut().for_each(|event| event.schema_version = event.readable_from);
        Ok(page)
    }
}

/// Tells readers who ask for no metadata that each event is of the first version of its shape.
pub struct MoreLeftOut;

#[async_trait]
impl<S: Sync> Fault<S> for MoreLeftOut {
    async fn stream_page(&self, store: &S, read: &ReadStream) -> Result<Page, StoreError>
    where
        S: EventStore,
    {
        let mut page = store.stream_page(read).await?;
        if !read.metadata {
            page.events.iter_mut().for_each(|event| event.schema_version = 0);
        }
        Ok(page)
    }
}

/// Commits units of work by a statement of its own, which forgets the versions.
pub struct UnitsOfOneVersion;

#[async_trait]
impl<S: Sync> Fault<S> for UnitsOfOneVersion {
    async fn commit(&self, store: &S, mut work: UnitOfWork) -> Result<Vec<Receipt>, WriteError>
    where
        S: UnitOfWorkStore,
    {
        for event in work.appends.iter_mut().flat_map(|append| &mut append.events) {
            (event.schema_version, event.readable_from) = (1, 1);
        }
        store.commit(work).await
    }
}

/// Never gives one event of the log, as a reader that passes an event does.
pub struct SkippedEvent;

#[async_trait]
impl<S: Sync> Fault<S> for SkippedEvent {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError>
    where
        S: EventStore,
    {
        let mut page = store.log_page(read).await?;
        page.events.retain(|event| event.position.get() != 7);
        Ok(page)
    }
}

/// Passes an event where two writers met at the tail: the later one was seen first, and the reader moved on.
pub struct PassedEvent;

#[async_trait]
impl<S: Sync> Fault<S> for PassedEvent {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError>
    where
        S: EventStore,
    {
        let mut page = store.log_page(read).await?;
        // Who reads from the beginning sees all; only who was at the tail is passed by.
        if read.after > Position::START
            && !page.more
            && let [.., late, last] = &page.events[..]
            && late.stream_id != last.stream_id
        {
            page.events.remove(page.events.len() - 2);
        }
        Ok(page)
    }
}

/// Turns events of one stream round that lie side by side in the log.
pub struct OutOfOrder;

#[async_trait]
impl<S: Sync> Fault<S> for OutOfOrder {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError>
    where
        S: EventStore,
    {
        let mut page = store.log_page(read).await?;
        for index in 1..page.events.len() {
            if page.events[index - 1].stream_id == page.events[index].stream_id {
                let (one, other) = (page.events[index - 1].position, page.events[index].position);
                page.events.swap(index - 1, index);
                page.events[index - 1].position = one;
                page.events[index].position = other;
                break;
            }
        }
        Ok(page)
    }
}

/// Filters by names and categories only.
pub struct EveryStream;

#[async_trait]
impl<S: Sync> Fault<S> for EveryStream {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError>
    where
        S: EventStore,
    {
        let mut read = read.clone();
        read.filter.streams = None;
        store.log_page(&read).await
    }
}

/// Forgets the idempotency keys.
pub struct ForgottenKey;

impl<S: Sync> Fault<S> for ForgottenKey {
    fn appends(&self, mut appends: Vec<Append>) -> Vec<Append> {
        appends.iter_mut().for_each(|append| append.key = None);
        appends
    }
}

/// Appends to one stream after the other, each by itself.
pub struct OneByOne;

#[async_trait]
impl<S: Sync> Fault<S> for OneByOne {
    async fn append(&self, store: &S, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError>
    where
        S: EventStore,
    {
        let mut receipts = Vec::with_capacity(appends.len());
        for append in appends {
            receipts.extend(store.append(vec![append]).await?);
            // As between two round trips, others come in between.
            tokio::task::yield_now().await;
        }
        Ok(receipts)
    }

    async fn commit(&self, store: &S, mut work: UnitOfWork) -> Result<Vec<Receipt>, WriteError>
    where
        S: UnitOfWorkStore,
    {
        let receipts = self.append(store, std::mem::take(&mut work.appends)).await?;
        store.commit(work).await?;
        Ok(receipts)
    }
}

/// Makes the ids of events itself, so that a second try is another append.
pub struct Doubles;

impl<S: Sync> Fault<S> for Doubles {
    fn appends(&self, mut appends: Vec<Append>) -> Vec<Append> {
        for event in appends.iter_mut().flat_map(|append| &mut append.events) {
            event.id = Uuid::now_v7();
        }
        appends
    }
}

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

/// Gives what follows a snapshot without the event that it contains last.
pub struct TailWithoutItsFirst;

#[async_trait]
impl<S: EventStore> Fault<S> for TailWithoutItsFirst {
    async fn snapshot_page(
        &self,
        store: &S,
        read: &ReadStream,
        snapshot_version: u32,
    ) -> Result<Option<SnapshotPage>, StoreError>
    where
        S: SnapshotStore,
    {
        let snapshot = store.load_snapshot(&read.stream_id, snapshot_version).await?;
        let from = snapshot.as_ref().map_or(read.from, |snapshot| snapshot.stream_version + 1);
        let page = store.stream_page(&read.clone().from(from)).await?;
        Ok(Some(SnapshotPage::new(snapshot, page)))
    }
}

/// Keeps the newest snapshot rather than the last.
pub struct NewestSnapshot;

#[async_trait]
impl<S: Sync> Fault<S> for NewestSnapshot {
    async fn save_snapshot(&self, store: &S, snapshot: StoredSnapshot) -> Result<(), StoreError>
    where
        S: SnapshotStore,
    {
        let kept = store.load_snapshot(&snapshot.stream_id, snapshot.snapshot_version).await?;
        if kept.is_none_or(|kept| kept.stream_version <= snapshot.stream_version) {
            store.save_snapshot(snapshot).await?;
        }
        Ok(())
    }
}

/// Wakes who waits at the next append only, and so misses the one just before the wait.
pub struct Deaf;

#[async_trait]
impl<S: Sync> Fault<S> for Deaf {
    async fn wait_for_events(&self, store: &S, _: Position) -> Result<(), StoreError>
    where
        S: EventStore,
    {
        let head = store.head().await?;
        store.wait_for_events(head).await
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
