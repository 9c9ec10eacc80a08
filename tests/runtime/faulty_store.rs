//! A store that fails where a test wants it to.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use annals::prelude::*;
use annals::{
    Append, Conflict, Expected, KeyEntry, LogPage, Page, ReadStream, StoreError, StoredSnapshot,
    StreamHead, WriteError,
};

/// What becomes of one append.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// Another writer was faster.
    Conflict,
    /// It is stored, but the answer is lost.
    UnknownOutcome,
    /// The store cannot be reached.
    Unavailable,
}

/// A store in memory whose next appends fail as planned, and whose snapshots may fail.
#[derive(Debug, Clone, Default)]
pub struct FaultyStore {
    pub inner: MemoryStore,
    pub appends: Arc<AtomicUsize>,
    pub snapshots_fail: bool,
    pub faults: Arc<Mutex<VecDeque<Fault>>>,
}

impl FaultyStore {
    pub fn with(faults: impl IntoIterator<Item = Fault>) -> Self {
        let store = Self::default();
        store.faults.lock().unwrap().extend(faults);
        store
    }
}

#[async_trait]
impl EventStore for FaultyStore {
    async fn append(&self, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        let fault = self.faults.lock().unwrap().pop_front();
        let stream_id = appends[0].stream_id.clone();
        match fault {
            None => self.inner.append(appends).await,
            Some(Fault::Conflict) => {
                Err(Conflict::new(stream_id, appends[0].expected, 1_000).into())
            }
            Some(Fault::UnknownOutcome) => {
                self.inner.append(appends).await?;
                let source = StoreError::unavailable("connection reset");
                Err(WriteError::UnknownOutcome { stream_id, source })
            }
            Some(Fault::Unavailable) => Err(StoreError::unavailable("connection refused").into()),
        }
    }

    async fn stream_page(&self, read: &ReadStream) -> Result<Page, StoreError> {
        self.inner.stream_page(read).await
    }

    async fn log_page(&self, read: &ReadAll) -> Result<LogPage, StoreError> {
        self.inner.log_page(read).await
    }

    async fn stream_head(&self, stream_id: &StreamId) -> Result<StreamHead, StoreError> {
        self.inner.stream_head(stream_id).await
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.inner.head().await
    }

    async fn find_key(
        &self,
        stream_id: &StreamId,
        key: &str,
    ) -> Result<Option<KeyEntry>, StoreError> {
        self.inner.find_key(stream_id, key).await
    }

    async fn purge_keys(&self) -> Result<u64, StoreError> {
        self.inner.purge_keys().await
    }

    async fn wait_for_events(&self, after: Position) -> Result<(), StoreError> {
        self.inner.wait_for_events(after).await
    }
}

#[async_trait]
impl SnapshotStore for FaultyStore {
    async fn load_snapshot(
        &self,
        stream_id: &StreamId,
        snapshot_version: u32,
    ) -> Result<Option<StoredSnapshot>, StoreError> {
        if self.snapshots_fail {
            return Err(StoreError::unavailable("the snapshots are away"));
        }
        self.inner.load_snapshot(stream_id, snapshot_version).await
    }

    async fn save_snapshot(&self, snapshot: StoredSnapshot) -> Result<(), StoreError> {
        if self.snapshots_fail {
            return Err(StoreError::unavailable("the snapshots are away"));
        }
        self.inner.save_snapshot(snapshot).await
    }
}

#[test]
fn a_conflict_tells_both_versions() {
    let conflict = Conflict::new(StreamId::new("cart", 7), Expected::Exact(3), 5);
    assert_eq!(
        conflict.to_string(),
        "append to stream `cart-7`: expected version 3, found version 5"
    );
    let none = Conflict::new(StreamId::new("cart", 7), Expected::NoStream, 5);
    assert_eq!(none.to_string(), "append to stream `cart-7`: expected no event, found version 5");
}
