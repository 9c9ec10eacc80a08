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

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use annals::projection::{CatalogEntry, ModelDefinition, ParkedEvent};
use annals::read_model::{ModelTable, Row, RowKey, Select, Table, Test};
use annals::{
    Append, CheckpointChange, CheckpointId, Deadline, EventStore, Fence, KeyEntry, LogPage, Page,
    PayloadCodec, Position, ProcessStore, ReadAll, ReadModelStore, ReadStream, Receipt, RowChange,
    SnapshotStore, StoreError, StoredSnapshot, StreamHead, StreamId, Timestamp, UnitOfWork,
    UnitOfWorkStore, WaitingCommand, WriteError,
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
}

impl<S, F> Faulty<S, F> {
    /// Plants a fault into a store.
    pub fn new(store: S, fault: F) -> Self {
        Self { store, fault: Arc::new(fault) }
    }

    /// The fault.
    pub fn fault(&self) -> &F {
        &self.fault
    }
}

impl<S: Clone, F> Clone for Faulty<S, F> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), fault: self.fault.clone() }
    }
}

impl<S, F> fmt::Debug for Faulty<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").field("fault", &std::any::type_name::<F>()).finish_non_exhaustive()
    }
}

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

    async fn save_snapshot(&self, snapshot: StoredSnapshot) -> Result<(), StoreError> {
        self.fault.save_snapshot(&self.store, snapshot).await
    }
}

#[async_trait]
impl<S: ReadModelStore, F: Fault<S>> ReadModelStore for Faulty<S, F> {
    async fn prepare(&self, definition: &ModelDefinition) -> Result<CatalogEntry, StoreError> {
        self.store.prepare(definition).await
    }

    async fn catalog(&self) -> Result<Vec<CatalogEntry>, StoreError> {
        self.store.catalog().await
    }

    async fn begin_generation(&self, definition: &ModelDefinition) -> Result<u32, StoreError> {
        self.store.begin_generation(definition).await
    }

    async fn switch_generation(
        &self,
        definition: &ModelDefinition,
        generation: u32,
        fence: &Fence,
    ) -> Result<(), WriteError> {
        self.store.switch_generation(definition, generation, fence).await
    }

    async fn drop_generation(
        &self,
        definition: &ModelDefinition,
        generation: u32,
    ) -> Result<(), StoreError> {
        self.store.drop_generation(definition, generation).await
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
