//! Faults of what is read: of streams, of the log and of snapshots, and of who waits for more.

use annals::{
    EventStore, LogPage, Page, Position, ReadAll, ReadStream, SnapshotPage, SnapshotStore,
    StoreError, StoredSnapshot,
};
use annals_testing::conformance::faulty::Fault;
use async_trait::async_trait;

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
