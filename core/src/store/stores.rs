//! Where a program keeps what: events here, snapshots there.

use std::fmt;
use std::sync::Arc;

use super::{EventStore, ReadStream, SnapshotPage, SnapshotStore, StoreError};

/// Where events and snapshots are kept. A store that keeps both converts into it.
///
/// ```
/// use annals::prelude::*;
///
/// let both = Stores::from(MemoryStore::new());
/// let apart = Stores::new(MemoryStore::new(), MemoryStore::new());
/// # let _ = (both, apart);
/// ```
#[derive(Clone)]
pub struct Stores {
    pub(crate) events: Arc<dyn EventStore>,
    pub(crate) snapshots: Arc<dyn SnapshotStore>,
    /// Whether one store keeps both.
    is_one: bool,
}

impl Stores {
    /// Keeps events in one store and snapshots in another.
    pub fn new(events: impl EventStore, snapshots: impl SnapshotStore) -> Self {
        Self { events: Arc::new(events), snapshots: Arc::new(snapshots), is_one: false }
    }

    /// A snapshot and the events from its last on, if the store gives both in one go.
    pub(crate) async fn snapshot_page(
        &self,
        read: &ReadStream,
        snapshot_version: u32,
    ) -> Result<Option<SnapshotPage>, StoreError> {
        if !self.is_one {
            return Ok(None);
        }
        self.snapshots.snapshot_page(read, snapshot_version).await
    }
}

impl<S: EventStore + SnapshotStore> From<S> for Stores {
    fn from(store: S) -> Self {
        let store = Arc::new(store);
        Self { events: store.clone(), snapshots: store, is_one: true }
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}
