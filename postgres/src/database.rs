//! The way to the database: the pool, the statements, and how long an outage is borne.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use annals::metrics::POOL_WAIT_SECONDS;
use annals::{PayloadCodec, StoreError};
use futures::TryStreamExt;
use futures::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow, Postgres};
use sqlx::{AssertSqlSafe, ConnectOptions, PgPool, Transaction};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::error::{Failure, in_database, refused, store_error};
use crate::lent::{Lent, Tries};
use crate::readers::Readers;
use crate::statements::{Schema, Statements};
use crate::writers::{LentWriter, Writers};

/// A statement with what is bound to it.
pub(crate) type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

/// What all parts of a store share.
pub(crate) struct Database {
    pub(crate) pool: PgPool,
    pub(crate) readers: Readers,
    pub(crate) writers: Arc<Writers>,
    pub(crate) schema: Schema,
    pub(crate) statements: Statements,
    pub(crate) codec: Arc<dyn PayloadCodec>,
    /// How long a write is sent again after its connection was lost.
    pub(crate) patience: Duration,
    /// How long a server may say nothing before its connection counts as lost.
    pub(crate) silence: Duration,
    /// How long a transaction may stand still before the server ends it.
    pub(crate) standstill: Duration,
    /// How many bytes of events a page has at most, if it has more than one event.
    pub(crate) page_bytes: usize,
    /// How many bytes an event had on average in the pages that were read last.
    pub(crate) heavy: AtomicUsize,
    /// Whether other processes are told of what is appended.
    pub(crate) tells: bool,
    pub(crate) snapshots: Retention,
    pub(crate) after_connect: Option<AfterConnect>,
    /// Whether a server has answered: one that refuses a connection later may do so for a while only.
    pub(crate) was_let_in: AtomicBool,
    /// By which one at a time asks why there is no connection.
    pub(crate) asking: Semaphore,
}

/// How long it is looked why there is no connection.
const LOOK: Duration = Duration::from_secs(1);

/// What is done with each new connection before it is used.
pub(crate) type AfterConnect = Arc<
    dyn for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<(), sqlx::Error>> + Send + Sync,
>;

/// Which snapshots are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retention {
    /// Of how many versions of an aggregate's shape, the highest first.
    pub(crate) versions: u32,
    /// For how long after they were saved; `None` for ever.
    pub(crate) lifetime: Option<Duration>,
}

/// What was made of the rows of a page.
pub(crate) struct PageOf<T> {
    pub(crate) items: Vec<T>,
    /// Whether there may be more.
    pub(crate) is_full: bool,
}

impl Database {
    /// A connection for a transaction.
    pub(crate) async fn acquire(
        &self,
        doing: &str,
    ) -> Result<PoolConnection<Postgres>, StoreError> {
        self.waited(doing, self.readers.acquire()).await
    }

    /// A connection for a read, or for a statement that is a transaction by itself.
    async fn lend(&self, doing: &str) -> Result<Lent<'_>, StoreError> {
        self.waited(doing, self.readers.lend()).await.map(Lent::Reader)
    }

    /// Waits for a connection.
    async fn waited<C>(
        &self,
        doing: &str,
        acquire: impl Future<Output = Result<C, sqlx::Error>>,
    ) -> Result<C, StoreError> {
        let begun = Instant::now();
        let acquired = acquire.await;
        metrics::histogram!(POOL_WAIT_SECONDS).record(begun.elapsed());
        match acquired {
            Ok(connection) => Ok(connection),
            Err(sqlx::Error::PoolTimedOut) => Err(self.none_in_time(doing).await),
            Err(error) => Err(self.refused(doing, error)),
        }
    }

    /// Why no connection could be had: the pool tells of no error after which it tries again, so another is made.
    async fn none_in_time(&self, doing: &str) -> StoreError {
        let told = format!("{doing}: no connection could be had in time");
        // Who are many need not all ask.
        let Ok(_asking) = self.asking.try_acquire() else { return StoreError::unavailable(told) };
        let options = with_read_committed((*self.pool.connect_options()).clone());
        match timeout(LOOK, self.connect_once(options)).await {
            Ok(Ok(connection)) => {
                drop(connection);
                StoreError::unavailable(format!(
                    "{doing}: no connection was free in time: the pool's `max_connections` or `acquire_timeout` is too low"
                ))
            }
            Ok(Err(error)) if in_database(&error).is_some() => self.refused(doing, error),
            Ok(Err(error)) => {
                StoreError::unavailable(format!("{told}: the server cannot be reached"))
                    .with_source(error)
            }
            Err(_) => StoreError::unavailable(format!("{told}: the server does not answer")),
        }
    }

    /// What it means that the server, or the way to it, gives no connection: if there was one before, there may be one again.
    fn refused(&self, doing: &str, error: sqlx::Error) -> StoreError {
        let was_let_in = self.was_let_in.load(Ordering::Relaxed);
        refused(doing, error, was_let_in)
    }

    /// Begins a transaction.
    ///
    /// In a task of its own: sqlx counts a transaction only once its beginning is answered, so that a call that is dropped
    /// before would put the connection back into the pool with the transaction open.
    pub(crate) async fn begin(
        &self,
        doing: &str,
    ) -> Result<Transaction<'static, Postgres>, StoreError> {
        let (pool, begin) = (self.pool.clone(), self.beginning());
        let beginning = tokio::spawn(async move { pool.begin_with(begin).await });
        match self.readers.given_room(beginning).await {
            Ok(Ok(transaction)) => Ok(transaction),
            Ok(Err(sqlx::Error::PoolTimedOut)) => Err(self.none_in_time(doing).await),
            // Nothing was asked yet.
            Ok(Err(error)) => Err(self.refused(doing, error)),
            Err(error) => Err(store_error(doing, sqlx::Error::Io(error.into()))),
        }
    }

    /// What begins a transaction that the server ends if it stands still, as when its node does: whoever waits for its locks goes on.
    ///
    /// Said in the transaction, it holds behind a pooler and in a pool of the program's own, and not for the program's transactions.
    pub(crate) fn beginning(&self) -> AssertSqlSafe<String> {
        let millis = self.standstill.as_millis().max(1);
        AssertSqlSafe(format!("BEGIN; SET LOCAL idle_in_transaction_session_timeout = {millis}"))
    }

    /// The same of one that waits for each lock so long at most, whatever its session does.
    pub(crate) fn beginning_to_wait(&self, wait: Duration) -> AssertSqlSafe<String> {
        let (begin, millis) = (self.beginning().0, wait.as_millis().max(1));
        AssertSqlSafe(format!("{begin}; SET LOCAL lock_timeout = {millis}"))
    }

    /// The connection of an append that is free now, for a read of a stream.
    pub(crate) fn lend_writer(&self) -> Option<LentWriter> {
        // A program that closes the pool wants no more of the store.
        if self.pool.is_closed() { None } else { self.writers.lend() }
    }

    /// A connection beside the pool.
    pub(crate) async fn connect(&self, doing: &str) -> Result<PgConnection, StoreError> {
        let options = with_read_committed((*self.pool.connect_options()).clone());
        self.connect_with(doing, options).await
    }

    /// A connection beside the pool that waits for a lock no longer than this, and plans each statement once: an append's plan does
    /// not depend on what is bound to it.
    pub(crate) async fn connect_writer(
        &self,
        doing: &str,
        lock_timeout: Duration,
    ) -> Result<PgConnection, StoreError> {
        let options = with_read_committed((*self.pool.connect_options()).clone());
        let millis = lock_timeout.as_millis().max(1).to_string();
        let settings = [("lock_timeout", &*millis), ("plan_cache_mode", "force_generic_plan")];
        self.connect_with(doing, options.options(settings)).await
    }

    async fn connect_with(
        &self,
        doing: &str,
        options: PgConnectOptions,
    ) -> Result<PgConnection, StoreError> {
        match timeout(self.silence, self.connect_once(options)).await {
            Ok(connected) => connected.map_err(|error| self.refused(doing, error)),
            Err(_) => Err(self.silent(doing)),
        }
    }

    async fn connect_once(&self, options: PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
        let mut connection = options.connect().await?;
        if let Some(after_connect) = &self.after_connect {
            after_connect(&mut connection).await?;
        }
        Ok(connection)
    }

    /// Waits for an answer of the server, but not for ever: a connection that says nothing counts as lost.
    pub(crate) async fn answered<T>(
        &self,
        doing: &str,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, Failure> {
        match timeout(self.silence, answer).await {
            Ok(answer) => answer.map_err(|error| Failure::of(doing, error)),
            Err(_) => Err(Failure::Lost(self.silent(doing))),
        }
    }

    /// How long a lock is waited for at most: well before the server counts as silent, so that what was not done is told as
    /// not done.
    pub(crate) fn longest_lock(&self) -> Duration {
        self.silence / 2
    }

    pub(crate) fn silent(&self, doing: &str) -> StoreError {
        let silence = self.silence;
        StoreError::unavailable(format!("{doing}: the server said nothing for {silence:?}"))
    }

    /// Reads all rows of a query.
    pub(crate) async fn fetch_all<'q>(
        &self,
        doing: &str,
        query: impl Fn() -> Query<'q>,
    ) -> Result<Vec<PgRow>, StoreError> {
        let mut tries = self.tries();
        loop {
            let mut lent = self.lend(doing).await?;
            match timeout(self.silence, query().fetch_all(lent.connection())).await {
                Ok(Ok(rows)) => {
                    lent.leave();
                    return Ok(rows);
                }
                Ok(Err(error)) => tries.go_on(doing, lent, error)?,
                Err(_) => return Err(self.given_up(doing, lent)),
            }
        }
    }

    /// Reads the rows of a page: as many as were asked for, or fewer where they are large. The query is given how many. What `maker`
    /// gives makes something of each row as it comes, while the server sends the others. It is read over the writer's connection, if
    /// one is given and works.
    pub(crate) async fn fetch_page<'q, T: Send, M>(
        &self,
        doing: &str,
        mut writer: Option<LentWriter>,
        (least, most): (usize, usize),
        query: impl Fn(usize) -> Query<'q>,
        size: impl Fn(&PgRow) -> usize,
        maker: impl Fn() -> M,
    ) -> Result<PageOf<T>, StoreError>
    where
        M: FnMut(PgRow) -> Result<T, sqlx::Error> + Send,
    {
        let mut tries = self.tries();
        let fitting = self.page_bytes / self.heavy.load(Ordering::Relaxed).max(1);
        let asked = most.min(fitting.max(least));
        if asked < most {
            // A page that is cut would close the connection of the next append.
            writer.take().into_iter().for_each(LentWriter::leave);
        }
        loop {
            let mut lent = match writer.take() {
                Some(writer) => Lent::Writer(writer),
                None => self.lend(doing).await?,
            };
            let reading = async {
                let (mut items, mut bytes, mut is_cut) = (Vec::new(), 0_usize, false);
                let mut make = maker();
                let mut rows = query(asked).fetch(lent.connection());
                while let Some(row) = rows.try_next().await? {
                    bytes = bytes.saturating_add(size(&row));
                    items.push(make(row)?);
                    if bytes > self.page_bytes && items.len() >= least && items.len() < asked {
                        is_cut = true;
                        break;
                    }
                }
                Ok((items, bytes, is_cut))
            };
            match timeout(self.silence, reading).await {
                Ok(Ok((items, bytes, is_cut))) => {
                    if is_cut {
                        // What the server still sends nobody reads.
                        lent.close();
                    } else {
                        lent.leave();
                    }
                    let average = bytes / items.len().max(1);
                    // Half as heavy each time, so that what is light is soon read in whole pages again.
                    let halved = self.heavy.load(Ordering::Relaxed) / 2;
                    self.heavy.store(average.max(halved), Ordering::Relaxed);
                    let is_full = is_cut || items.len() >= asked;
                    return Ok(PageOf { items, is_full });
                }
                Ok(Err(error)) => tries.go_on(doing, lent, error)?,
                Err(_) => return Err(self.given_up(doing, lent)),
            }
        }
    }

    /// A connection that says nothing is given up.
    fn given_up(&self, doing: &str, lent: Lent<'_>) -> StoreError {
        lent.close();
        self.silent(doing)
    }

    /// Reads the one row of a query, if there is any.
    pub(crate) async fn fetch_optional<'q>(
        &self,
        doing: &str,
        query: impl Fn() -> Query<'q>,
    ) -> Result<Option<PgRow>, StoreError> {
        Ok(self.fetch_all(doing, query).await?.pop())
    }

    /// Reads the one row of a query.
    pub(crate) async fn fetch_one<'q>(
        &self,
        doing: &str,
        query: impl Fn() -> Query<'q>,
    ) -> Result<PgRow, StoreError> {
        let row = self.fetch_optional(doing, query).await?;
        row.ok_or_else(|| store_error(doing, sqlx::Error::RowNotFound))
    }

    /// Runs a statement that may be run twice, and tells how many rows it changed.
    pub(crate) async fn execute<'q>(
        &self,
        doing: &str,
        query: impl Fn() -> Query<'q>,
    ) -> Result<u64, StoreError> {
        let mut tries = self.tries();
        loop {
            let mut lent = self.lend(doing).await?;
            match timeout(self.silence, query().execute(lent.connection())).await {
                Ok(Ok(done)) => {
                    lent.leave();
                    return Ok(done.rows_affected());
                }
                Ok(Err(error)) => tries.go_on(doing, lent, error)?,
                Err(_) => return Err(self.given_up(doing, lent)),
            }
        }
    }

    /// Tells other processes that something was appended.
    pub(crate) async fn tell(&self) {
        if let Err(error) = self.execute("wake readers up", || self.statements.notify()).await {
            tracing::debug!(%error, "nobody could be woken up; they look by themselves");
        }
    }

    /// A pool's connection is not asked whether it is alive before it is used: as many as there are may be dead.
    fn tries(&self) -> Tries {
        Tries(self.pool.size().saturating_add(1))
    }
}

/// Has a connection's transactions at READ COMMITTED, whatever the database or the role has as its default.
pub(crate) fn with_read_committed(options: PgConnectOptions) -> PgConnectOptions {
    options.options([("default_transaction_isolation", "read committed")])
}
