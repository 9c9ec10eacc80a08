//! Stores with a fault planted on purpose, to show that a rule would find it.
//!
//! A [`Fault`] says what is done otherwise than the store beneath does it; [`Faulty`] is that store with the fault.
//!
//! ```
//! use annals::{Append, MemoryStore};
//! use annals_testing::conformance::faulty::{Fault, Faulty};
//! use annals_testing::conformance::rules;
//!
//! /// Forgets the idempotency keys.
//! struct ForgottenKey;
//!
//! impl<S: Sync> Fault<S> for ForgottenKey {
//!     fn appends(&self, mut appends: Vec<Append>) -> Vec<Append> {
//!         appends.iter_mut().for_each(|append| append.key = None);
//!         appends
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let store = Faulty::new(MemoryStore::new(), ForgottenKey);
//! let broken = rules::a_key_is_stored_with_its_events(store).await.unwrap_err();
//! assert_eq!(broken.rule(), "a_key_is_stored_with_its_events");
//! # });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ports;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use annals::projection::{CatalogEntry, ModelDefinition};
use annals::shards::{Division, Standing};
use annals::{
    Append, CheckpointChange, CheckpointId, EventStore, Fence, KeyEntry, LeaseHolder, LogPage,
    Page, Position, ReadAll, ReadModelStore, ReadStream, Receipt, RowChange, SnapshotPage,
    SnapshotStore, StoreError, StoredSnapshot, StreamId, UnitOfWork, UnitOfWorkStore, WriteError,
};
use async_trait::async_trait;

/// What a store does otherwise than the one beneath. Each method does as that store, unless it is written.
#[async_trait]
pub trait Fault<S: Sync>: Send + Sync + 'static {
    /// Changes what is appended, by itself or in a unit of work.
    fn appends(&self, appends: Vec<Append>) -> Vec<Append> {
        appends
    }

    /// Appends, after [`appends`](Self::appends).
    ///
    /// # Errors
    ///
    /// As [`EventStore::append`].
    async fn append(&self, store: &S, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError>
    where
        S: EventStore,
    {
        store.append(appends).await
    }

    /// Commits, after [`appends`](Self::appends).
    ///
    /// # Errors
    ///
    /// As [`UnitOfWorkStore::commit`].
    async fn commit(&self, store: &S, work: UnitOfWork) -> Result<Vec<Receipt>, WriteError>
    where
        S: UnitOfWorkStore,
    {
        store.commit(work).await
    }

    /// Writes rows.
    ///
    /// # Errors
    ///
    /// As [`ReadModelStore::write_rows`].
    async fn write_rows(
        &self,
        store: &S,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError>
    where
        S: ReadModelStore,
    {
        store.write_rows(rows, checkpoint).await
    }

    /// Prepares a projection.
    ///
    /// # Errors
    ///
    /// As [`ReadModelStore::prepare`].
    async fn prepare(
        &self,
        store: &S,
        definition: &ModelDefinition,
    ) -> Result<CatalogEntry, StoreError>
    where
        S: ReadModelStore,
    {
        store.prepare(definition).await
    }

    /// Has a generation answer.
    ///
    /// # Errors
    ///
    /// As [`ReadModelStore::switch_generation`].
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
        store.switch_generation(definition, generation, fence, head).await
    }

    /// Takes or renews a lease.
    ///
    /// # Errors
    ///
    /// As [`ReadModelStore::claim_lease`].
    async fn claim_lease(
        &self,
        store: &S,
        id: &CheckpointId,
        owner: &str,
        lifetime: Duration,
    ) -> Result<Option<Fence>, StoreError>
    where
        S: ReadModelStore,
    {
        store.claim_lease(id, owner, lifetime).await
    }

    /// Lists leases.
    ///
    /// # Errors
    ///
    /// As [`ReadModelStore::leases`].
    async fn leases(&self, store: &S, prefix: &str) -> Result<Vec<LeaseHolder>, StoreError>
    where
        S: ReadModelStore,
    {
        store.leases(prefix).await
    }

    /// Divides a reader into shards.
    ///
    /// # Errors
    ///
    /// As [`ShardedStore::divide`](annals::ShardedStore::divide).
    async fn divide(
        &self,
        store: &S,
        reader: &CheckpointId,
        division: Division,
    ) -> Result<Standing, StoreError>
    where
        S: ReadModelStore,
    {
        store.divide(reader, division).await
    }

    /// Reads a page of a stream.
    ///
    /// # Errors
    ///
    /// As [`EventStore::stream_page`].
    async fn stream_page(&self, store: &S, read: &ReadStream) -> Result<Page, StoreError>
    where
        S: EventStore,
    {
        store.stream_page(read).await
    }

    /// Reads a page of the log.
    ///
    /// # Errors
    ///
    /// As [`EventStore::log_page`].
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError>
    where
        S: EventStore,
    {
        store.log_page(read).await
    }

    /// Looks a key up.
    ///
    /// # Errors
    ///
    /// As [`EventStore::find_key`].
    async fn find_key(
        &self,
        store: &S,
        stream_id: &StreamId,
        key: &str,
    ) -> Result<Option<KeyEntry>, StoreError>
    where
        S: EventStore,
    {
        store.find_key(stream_id, key).await
    }

    /// Waits for events.
    ///
    /// # Errors
    ///
    /// As [`EventStore::wait_for_events`].
    async fn wait_for_events(&self, store: &S, after: Position) -> Result<(), StoreError>
    where
        S: EventStore,
    {
        store.wait_for_events(after).await
    }

    /// Reads a snapshot and the part of its stream that follows it. By default the two are asked for one after the other, so
    /// that what is done otherwise with either is seen.
    ///
    /// # Errors
    ///
    /// As [`SnapshotStore::snapshot_page`].
    async fn snapshot_page(
        &self,
        store: &S,
        read: &ReadStream,
        snapshot_version: u32,
    ) -> Result<Option<SnapshotPage>, StoreError>
    where
        S: SnapshotStore,
    {
        let _ = (store, read, snapshot_version);
        Ok(None)
    }

    /// Keeps a snapshot.
    ///
    /// # Errors
    ///
    /// As [`SnapshotStore::save_snapshot`].
    async fn save_snapshot(&self, store: &S, snapshot: StoredSnapshot) -> Result<(), StoreError>
    where
        S: SnapshotStore,
    {
        store.save_snapshot(snapshot).await
    }
}

/// A store with a fault. Clones share the store beneath and the fault.
pub struct Faulty<S, F> {
    store: S,
    fault: Arc<F>,
    units: Option<Units<S, F>>,
}

/// The store as one of units of work, if it was planted as such.
type Units<S, F> = for<'a> fn(&'a Faulty<S, F>) -> &'a dyn UnitOfWorkStore;

impl<S, F> Faulty<S, F> {
    /// Plants a fault into a store of events.
    pub fn new(store: S, fault: F) -> Self {
        Self { store, fault: Arc::new(fault), units: None }
    }

    /// Plants a fault into a store that processes run on, too: what they commit goes through the fault.
    pub fn with_units(store: S, fault: F) -> Self
    where
        S: UnitOfWorkStore,
        F: Fault<S>,
    {
        Self { units: Some(|faulty| faulty), ..Self::new(store, fault) }
    }

    /// The fault.
    pub fn fault(&self) -> &F {
        &self.fault
    }
}

impl<S: Clone, F> Clone for Faulty<S, F> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), fault: self.fault.clone(), units: self.units }
    }
}

impl<S, F> fmt::Debug for Faulty<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").field("fault", &std::any::type_name::<F>()).finish_non_exhaustive()
    }
}
