//! A store each of whose calls is watched, and may fail: before it has an effect, or after it, as when the answer is lost.

use std::sync::Arc;
use std::time::Duration;

use annals::prelude::*;
use annals::projection::{CatalogEntry, ModelDefinition, ParkedEvent};
use annals::read_model::{ModelTable, Row, RowKey, Select, Table, Test};
use annals::shards::{Division, Standing};
use annals::{
    Append, CheckpointChange, CheckpointId, Deadline, Fence, KeyEntry, LeaseHolder, LogPage, Page,
    PayloadCodec, ProcessStore, ReadAll, ReadModelStore, ReadStream, RowChange, ShardedStore,
    StoreError, StreamHead, UnitOfWork, UnitOfWorkStore, WaitingCommand, WriteError,
};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::scene::Store;

#[path = "watched_ports.rs"]
mod ports;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Passes,
    FailsBefore,
    FailsAfter,
    /// The program ends there: the call has no answer, and whatever it is called next has none.
    DiesBefore,
    DiesAfter,
    /// The store refuses the work as it can never be done.
    Refused,
}

/// What watches the calls of a store.
pub trait Watch: Send + Sync + 'static {
    /// Says what becomes of a call that is about to be made; of a unit of work, what is in it.
    fn fate(&self, call: &'static str, work: Option<&UnitOfWork>) -> Fate;

    /// Changes what is appended by itself.
    fn appends(&self, appends: Vec<Append>) -> Vec<Append> {
        appends
    }

    /// Changes a unit of work; what is put apart is committed after it.
    fn changed(&self, work: UnitOfWork) -> (UnitOfWork, Option<UnitOfWork>) {
        (work, None)
    }

    /// Waits before a unit of work that is done has its answer.
    fn committed(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }

    /// Changes what was read of a stream.
    fn page(&self, page: Page) -> Page {
        page
    }

    /// Does something else once a reader is divided.
    fn divided<'a>(
        &'a self,
        store: &'a dyn UnitOfWorkStore,
        reader: &'a CheckpointId,
        standing: &'a Standing,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let (_, _, _) = (store, reader, standing);
        async { Ok(()) }.boxed()
    }

    /// Learns that a call has its answer.
    fn answered(&self, call: &'static str) {
        let _ = call;
    }

    /// Learns what was read of the log.
    fn read(&self, page: &LogPage) {
        let _ = page;
    }
}

pub struct Watched<S, W> {
    store: S,
    pub watch: Arc<W>,
}

impl<S, W> Watched<S, W> {
    pub fn new(store: S, watch: W) -> Self {
        Self { store, watch: Arc::new(watch) }
    }
}

impl<S: Clone, W> Clone for Watched<S, W> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), watch: self.watch.clone() }
    }
}

fn lost() -> StoreError {
    StoreError::unavailable("the connection was lost")
}

/// Has a call fare as it is its fate; `$lost` is what it answers when its effect is there and the answer is not.
macro_rules! fares {
    ($fate:expr, $call:expr, $lost:expr) => {
        match $fate {
            Fate::Passes => $call.await,
            Fate::FailsBefore => Err(lost().into()),
            Fate::FailsAfter => {
                $call.await?;
                Err($lost)
            }
            Fate::DiesBefore => std::future::pending().await,
            Fate::DiesAfter => {
                drop($call.await);
                std::future::pending().await
            }
            Fate::Refused => Err(StoreError::invalid("it is more than the store takes").into()),
        }
    };
}

impl<S, W: Watch> Watched<S, W> {
    fn fate(&self, call: &'static str) -> Fate {
        self.watch.fate(call, None)
    }
}

#[async_trait]
impl<S: Store, W: Watch> EventStore for Watched<S, W> {
    async fn append(&self, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError> {
        let stream_id = appends[0].stream_id.clone();
        let lost = WriteError::UnknownOutcome { stream_id, source: lost() };
        fares!(self.fate("append"), self.store.append(self.watch.appends(appends)), lost)
    }

    async fn stream_page(&self, read: &ReadStream) -> Result<Page, StoreError> {
        let page: Result<Page, StoreError> =
            fares!(self.fate("stream_page"), self.store.stream_page(read), lost());
        page.map(|page| self.watch.page(page))
    }

    async fn log_page(&self, read: &ReadAll) -> Result<LogPage, StoreError> {
        let page: Result<LogPage, StoreError> =
            fares!(self.fate("log_page"), self.store.log_page(read), lost());
        page.inspect(|page| self.watch.read(page))
    }

    async fn stream_head(&self, stream_id: &StreamId) -> Result<StreamHead, StoreError> {
        fares!(self.fate("stream_head"), self.store.stream_head(stream_id), lost())
    }

    async fn head(&self) -> Result<Position, StoreError> {
        fares!(self.fate("head"), self.store.head(), lost())
    }

    async fn barrier(&self) -> Result<Position, StoreError> {
        let barrier = fares!(self.fate("barrier"), self.store.barrier(), lost());
        self.watch.answered("barrier");
        barrier
    }

    async fn find_key(
        &self,
        stream_id: &StreamId,
        key: &str,
    ) -> Result<Option<KeyEntry>, StoreError> {
        fares!(self.fate("find_key"), self.store.find_key(stream_id, key), lost())
    }

    async fn purge_keys(&self) -> Result<u64, StoreError> {
        self.store.purge_keys().await
    }

    async fn wait_for_events(&self, after: Position) -> Result<(), StoreError> {
        fares!(self.fate("wait_for_events"), self.store.wait_for_events(after), lost())
    }

    fn unit_of_work(&self) -> Option<&dyn UnitOfWorkStore> {
        Some(self)
    }

    fn codec(&self) -> &dyn PayloadCodec {
        self.store.codec()
    }
}

#[async_trait]
impl<S: Store, W: Watch> ShardedStore for Watched<S, W> {
    async fn standing(&self, reader: &CheckpointId) -> Result<Standing, StoreError> {
        fares!(self.fate("standing"), self.store.standing(reader), lost())
    }

    async fn divide(
        &self,
        reader: &CheckpointId,
        division: Division,
    ) -> Result<Standing, StoreError> {
        let divide = async {
            let standing = self.store.divide(reader, division).await?;
            self.watch.divided(&self.store, reader, &standing).await?;
            Ok::<_, StoreError>(standing)
        };
        fares!(self.fate("divide"), divide, lost())
    }

    async fn divide_under(
        &self,
        reader: &CheckpointId,
        shards: u32,
        leases: &[Fence],
    ) -> Result<Standing, WriteError> {
        let divide = async {
            let standing = self.store.divide_under(reader, shards, leases).await?;
            self.watch.divided(&self.store, reader, &standing).await?;
            Ok::<_, WriteError>(standing)
        };
        fares!(self.fate("divide"), divide, lost().into())
    }
}

#[async_trait]
impl<S: Store, W: Watch> ReadModelStore for Watched<S, W> {
    async fn prepare(&self, definition: &ModelDefinition) -> Result<CatalogEntry, StoreError> {
        self.store.prepare(definition).await
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
        self.store.switch_generation(definition, generation, fence, head).await
    }

    async fn drop_generation(
        &self,
        definition: &ModelDefinition,
        generation: u32,
        fence: &Fence,
    ) -> Result<(), WriteError> {
        self.store.drop_generation(definition, generation, fence).await
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
        fares!(self.fate("parked"), self.store.parked(reader, key), lost())
    }

    async fn checkpoint(&self, id: &CheckpointId) -> Result<Option<Position>, StoreError> {
        fares!(self.fate("checkpoint"), self.store.checkpoint(id), lost())
    }

    async fn claim_lease(
        &self,
        id: &CheckpointId,
        owner: &str,
        lifetime: Duration,
    ) -> Result<Option<Fence>, StoreError> {
        fares!(self.fate("claim_lease"), self.store.claim_lease(id, owner, lifetime), lost())
    }

    async fn release_lease(&self, fence: &Fence) -> Result<(), StoreError> {
        fares!(self.fate("release_lease"), self.store.release_lease(fence), lost())
    }

    async fn leases(&self, prefix: &str) -> Result<Vec<LeaseHolder>, StoreError> {
        self.store.leases(prefix).await
    }

    async fn write_rows(
        &self,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError> {
        let written = self.store.write_rows(rows, checkpoint);
        fares!(self.fate("write_rows"), written, WriteError::UnknownCommit { source: lost() })
    }

    fn row_codec(&self) -> &dyn PayloadCodec {
        self.store.row_codec()
    }
}

#[async_trait]
impl<S: Store, W: Watch> ProcessStore for Watched<S, W> {
    async fn outgoing(
        &self,
        category: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<WaitingCommand>, StoreError> {
        fares!(self.fate("outgoing"), self.store.outgoing(category, after, limit), lost())
    }

    async fn due_deadlines(
        &self,
        category: &str,
        at: Timestamp,
        after: Option<&Deadline>,
        limit: usize,
    ) -> Result<Vec<Deadline>, StoreError> {
        let due = self.store.due_deadlines(category, at, after, limit);
        fares!(self.fate("due_deadlines"), due, lost())
    }
}

#[async_trait]
impl<S: Store, W: Watch> UnitOfWorkStore for Watched<S, W> {
    async fn commit(&self, work: UnitOfWork) -> Result<Vec<Receipt>, WriteError> {
        let fate = self.watch.fate("commit", Some(&work));
        let lost = match work.appends.first() {
            Some(append) => {
                let stream_id = append.stream_id.clone();
                WriteError::UnknownOutcome { stream_id, source: lost() }
            }
            None => WriteError::UnknownCommit { source: lost() },
        };
        let (work, apart) = self.watch.changed(work);
        let receipts: Result<_, WriteError> = fares!(fate, self.store.commit(work), lost);
        if receipts.is_ok() {
            self.watch.committed().await;
        }
        if let Some(apart) = apart {
            let lost = WriteError::UnknownCommit { source: StoreError::unavailable("lost") };
            let fate = self.watch.fate("commit", None);
            let _: Vec<Receipt> = fares!(fate, self.store.commit(apart), lost)?;
        }
        receipts
    }
}
