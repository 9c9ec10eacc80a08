//! Where a program keeps what: events here, snapshots there.

use std::fmt;
use std::sync::Arc;

use super::{EventStore, SnapshotStore};

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
}

impl Stores {
    /// Keeps events in one store and snapshots in another.
    pub fn new(events: impl EventStore, snapshots: impl SnapshotStore) -> Self {
        Self { events: Arc::new(events), snapshots: Arc::new(snapshots) }
    }
}

impl<S: EventStore + SnapshotStore> From<S> for Stores {
    fn from(store: S) -> Self {
        let store = Arc::new(store);
        Self { events: store.clone(), snapshots: store }
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}
