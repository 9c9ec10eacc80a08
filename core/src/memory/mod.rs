//! The embedded store: everything in memory, gone when the program ends.
//!
//! It keeps every promise but durability, concurrency control included, so that a test on it does not lie.

mod inspected;
mod keys;
mod layout;
mod log;
mod models;
mod operated;
mod ports;
mod sharded;
mod state;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;

use self::state::State;
use crate::clock::{Clock, SystemClock};
use crate::codec::{PayloadCodec, PlainJson};
use crate::position::Position;

/// A store in memory. Clones share what is stored.
///
/// The cost of an append does not depend on what is stored.
///
/// ```
/// use annals::prelude::*;
///
/// let store = MemoryStore::new();
/// let bus = CommandBus::new(store.clone());
/// # let _ = bus;
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    state: RwLock<State>,
    head: watch::Sender<Position>,
    clock: Box<dyn Clock>,
    codec: Box<dyn PayloadCodec>,
}

impl MemoryStore {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Makes an empty store with another clock or codec.
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder { clock: Box::new(SystemClock), codec: Box::new(PlainJson) }
    }

    /// A writer that panicked has changed nothing: all checks come before the first change.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.shared.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.shared.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

/// Makes a [`MemoryStore`].
///
/// ```
/// use annals::prelude::*;
///
/// let clock = ManualClock::at("2026-03-01T12:00:00Z".parse()?);
/// let store = MemoryStore::builder().clock(clock).build();
/// # let _ = store;
/// # Ok::<(), annals::TimestampError>(())
/// ```
#[must_use]
pub struct MemoryStoreBuilder {
    clock: Box<dyn Clock>,
    codec: Box<dyn PayloadCodec>,
}

impl MemoryStoreBuilder {
    /// Sets the store's clock, from which [`recorded_at`](crate::RecordedEvent::recorded_at) is taken.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Sets the codec that all payloads go through.
    pub fn codec(mut self, codec: impl PayloadCodec) -> Self {
        self.codec = Box::new(codec);
        self
    }

    /// Makes the store.
    pub fn build(self) -> MemoryStore {
        MemoryStore {
            shared: Arc::new(Shared {
                state: RwLock::default(),
                head: watch::Sender::new(Position::START),
                clock: self.clock,
                codec: self.codec,
            }),
        }
    }
}

impl fmt::Debug for MemoryStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStoreBuilder").finish_non_exhaustive()
    }
}
