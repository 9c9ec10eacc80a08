//! The store's options, and how it is made of them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use annals::{PayloadCodec, PlainJson, StoreError};
use futures::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{PgPool, Row};
use tokio::sync::Semaphore;

use crate::address;
use crate::append::{Appender, Limits};
use crate::database::{AfterConnect, Database, Retention, with_read_committed};
use crate::error::store_error;
use crate::readers::Readers;
use crate::statements::{Naming, Schema, Statements};
use crate::store::{Inner, PostgresStore};
use crate::wake::Wake;
use crate::writers::Writers;

/// The oldest server, as `server_version_num` has it.
const OLDEST_SERVER: i32 = 140_000;

/// Over how many connections appends go that do not share their round trips.
const WRITERS: usize = 4;

/// What a server is asked first.
const SERVER: &str = "SELECT current_setting('server_version_num')::integer, pg_is_in_recovery()";

/// Makes a [`PostgresStore`].
///
/// ```no_run
/// use std::time::Duration;
///
/// use annals_postgres::PostgresStore;
///
/// # async fn run() -> Result<(), annals::StoreError> {
/// let store = PostgresStore::builder()
///     .schema("ledger")
///     .max_connections(20)
///     .statement_timeout(Duration::from_secs(10))
///     .connect("postgres://localhost/bank")
///     .await?;
/// # let _ = store;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct PostgresStoreBuilder {
    schema: String,
    max_connections: u32,
    acquire_timeout: Duration,
    statement_timeout: Option<Duration>,
    naming: Naming,
    wake_up: bool,
    poll_interval: Duration,
    limits: Limits,
    writers: Option<usize>,
    page_bytes: usize,
    snapshots: Retention,
    after_connect: Option<AfterConnect>,
    patience: Duration,
    silence: Duration,
    standstill: Option<Duration>,
    codec: Arc<dyn PayloadCodec>,
}

impl Default for PostgresStoreBuilder {
    fn default() -> Self {
        Self {
            schema: "annals".to_owned(),
            max_connections: 10,
            acquire_timeout: Duration::from_secs(10),
            statement_timeout: None,
            naming: Naming::Named,
            wake_up: true,
            poll_interval: Duration::from_millis(250),
            limits: Limits { calls: 256, events: 4_096, bytes: 64 * 1024 * 1024, writers: 1 },
            writers: None,
            page_bytes: 16 * 1024 * 1024,
            snapshots: Retention { versions: 2, lifetime: None },
            after_connect: None,
            patience: Duration::from_secs(5),
            silence: Duration::from_secs(30),
            standstill: None,
            codec: Arc::new(PlainJson),
        }
    }
}

impl PostgresStoreBuilder {
    /// Names the schema in which the tables are; by default `annals`.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// Sets how many connections the pool has at most; by default 10. The store has a few more for itself: those that
    /// [append](Self::writers) and one more, made where an append comes while a stream is read over one of them; one that listens; and,
    /// for a while, up to four for appends that meet a lock of another transaction, and one that migrates.
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections.max(1);
        self
    }

    /// Sets how long a read waits for a free connection; by default 10 seconds.
    pub fn acquire_timeout(mut self, timeout: Duration) -> Self {
        self.acquire_timeout = timeout;
        self
    }

    /// Has the server end statements that take longer; by default it has its own setting.
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = Some(timeout);
        self
    }

    /// Turns statements that a session keeps under names on or off; by default they are on. Without them each is parsed and
    /// planned anew, as behind a pooler that shares sessions and does not follow names.
    pub fn prepared_statements(mut self, are_on: bool) -> Self {
        self.naming = if are_on { Naming::Named } else { Naming::Unnamed };
        self
    }

    /// Turns the wake-up by `LISTEN` and `NOTIFY` on or off; by default it is on. Without it, readers of other processes'
    /// events look each [`poll_interval`](Self::poll_interval), as behind a pooler that shares sessions.
    pub fn wake_up(mut self, is_on: bool) -> Self {
        self.wake_up = is_on;
        self
    }

    /// Sets how often a reader at the log's end looks by itself; by default four times a second.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// Sets how many callers' appends share a round trip at most; by default 256. With 1 each goes alone, and several are on
    /// their way at once, over [`writers`](Self::writers) connections.
    pub fn batch_calls(mut self, calls: usize) -> Self {
        self.limits.calls = calls.max(1);
        self
    }

    /// Sets how many events share a round trip at most, of one caller always all; by default 4,096.
    pub fn batch_events(mut self, events: usize) -> Self {
        self.limits.events = events.max(1);
        self
    }

    /// Sets over how many connections appends are on their way at once; by default over 1, and over 4 where each goes
    /// [alone](Self::batch_calls). One that gathers what comes meanwhile is faster than several, unless transactions are slow
    /// to commit.
    pub fn writers(mut self, connections: usize) -> Self {
        self.writers = Some(connections.max(1));
        self
    }

    /// Sets how many bytes of events a page holds at most, payloads and metadata together; by default 16 MiB. One event is
    /// read, however large it is. A reader holds a page or two.
    pub fn page_bytes(mut self, bytes: usize) -> Self {
        self.page_bytes = bytes.max(1);
        self
    }

    /// Sets of how many versions of an aggregate's shape snapshots are kept, the highest first; by default of 2: that of this
    /// release, and that of the one before, which may run beside it. [`PostgresStore::purge_snapshots`] removes the others.
    pub fn snapshot_versions(mut self, versions: u32) -> Self {
        self.snapshots.versions = versions.max(1);
        self
    }

    /// Sets for how long a snapshot is kept after it was saved; by default for ever. [`PostgresStore::purge_snapshots`]
    /// removes what is older.
    pub fn snapshot_lifetime(mut self, lifetime: Duration) -> Self {
        self.snapshots.lifetime = Some(lifetime);
        self
    }

    /// Does something with each new connection before it is used, such as `SET ROLE`.
    ///
    /// With a pool of the program's own, it concerns the connections that the store has beside it, which append, read streams, listen
    /// and migrate: a pool does not tell its own `after_connect`. Give the same to both.
    ///
    /// ```no_run
    /// # use annals_postgres::PostgresStore;
    /// # use sqlx::{Executor, PgPool};
    /// # async fn run(pool: PgPool) -> Result<(), annals::StoreError> {
    /// let store = PostgresStore::builder()
    ///     .after_connect(|connection| {
    ///         Box::pin(async move { connection.execute("SET ROLE shop").await.map(drop) })
    ///     })
    ///     .from_pool(pool)
    ///     .await?;
    /// # let _ = store;
    /// # Ok(())
    /// # }
    /// ```
    pub fn after_connect<F>(mut self, does: F) -> Self
    where
        F: for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<(), sqlx::Error>>
            + Send
            + Sync
            + 'static,
    {
        self.after_connect = Some(Arc::new(does));
        self
    }

    /// Sets how many bytes wait to be appended at most, payloads, names, metadata and keys together; by default 64 MiB.
    /// Whoever comes then waits for room.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.limits.bytes = bytes.max(1);
        self
    }

    /// Sets how long an append is sent again after its connection was lost, before its caller is told that the outcome is
    /// unknown; by default 5 seconds.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets how long the server may take to answer before its connection counts as lost, as when the server's machine is gone;
    /// by default 30 seconds. Whether an append or a unit of work was done is then found out over another connection; a read
    /// is told that the server is unavailable.
    pub fn silence(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    /// Sets how long a transaction of the store may stand still before the server ends it, as when its node is frozen or gone;
    /// by default a third of [`silence`](Self::silence), 10 seconds, as long as engines hold their leases. Others then go on, and
    /// the node finds that its transaction was undone. Transactions of the program's own are not concerned.
    pub fn idle_in_transaction_timeout(mut self, timeout: Duration) -> Self {
        self.standstill = Some(timeout);
        self
    }

    /// Sets the codec that all payloads go through.
    pub fn codec(mut self, codec: impl PayloadCodec) -> Self {
        self.codec = Arc::new(codec);
        self
    }

    /// Connects to a database.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::connect`].
    pub async fn connect(self, url: &str) -> Result<PostgresStore, StoreError> {
        let doing = "connect";
        let url = address::without_unknown(url);
        let mut options: PgConnectOptions =
            url.parse().map_err(|error| store_error(doing, error))?;
        options = with_read_committed(options);
        if let Some(timeout) = self.statement_timeout {
            options = options.options([("statement_timeout", timeout.as_millis().to_string())]);
        }
        let mut pool = PgPoolOptions::new();
        if let Some(after_connect) = self.after_connect.clone() {
            pool = pool.after_connect(move |connection, _| after_connect(connection));
        }
        let pool = pool
            .max_connections(self.max_connections)
            .acquire_timeout(self.acquire_timeout)
            // A ping before each use would be a round trip more; a dead connection is found by using it.
            .test_before_acquire(false)
            .connect_lazy_with(options);
        self.from_pool(pool).await
    }

    /// Takes a pool that the program has already; its options stay as they are. Its connections have to be at READ
    /// COMMITTED, as they are by default, and need no ping before each use: `test_before_acquire(false)` spares a round
    /// trip.
    ///
    /// The store has connections beside the pool, with the same address and settings; but what the pool does after it
    /// connects, the store has to be told by [`after_connect`](Self::after_connect).
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::connect`].
    pub async fn from_pool(self, pool: PgPool) -> Result<PostgresStore, StoreError> {
        let schema = Schema::parse(&self.schema)?;
        let statements = Statements::new(&schema, self.naming);
        let writers = self.writers.unwrap_or(if self.limits.calls == 1 { WRITERS } else { 1 });
        let limits = Limits { writers, ..self.limits };
        let database = Arc::new(Database {
            readers: Readers::new(pool.clone(), self.silence),
            writers: Arc::new(Writers::new(limits.writers, self.silence)),
            pool,
            schema,
            statements,
            codec: self.codec,
            patience: self.patience,
            silence: self.silence,
            standstill: self.standstill.unwrap_or(self.silence / 3),
            page_bytes: self.page_bytes,
            heavy: AtomicUsize::default(),
            tells: self.wake_up,
            snapshots: self.snapshots,
            after_connect: self.after_connect,
            was_let_in: AtomicBool::new(false),
            asking: Semaphore::new(1),
        });
        check_server(&database).await?;
        database.was_let_in.store(true, Ordering::Relaxed);
        let wake = Arc::new(Wake::new(self.wake_up, self.poll_interval));
        let appender = Appender::new(database.clone(), wake.clone(), limits);
        Ok(PostgresStore { inner: Arc::new(Inner { database, appender, wake }) })
    }
}

impl fmt::Debug for PostgresStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStoreBuilder").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// Refuses a server on which the store could not keep its promises.
async fn check_server(database: &Database) -> Result<(), StoreError> {
    let row = database.fetch_one("connect", || sqlx::query(SERVER).persistent(false)).await?;
    let read = |error| store_error("connect", error);
    let version: i32 = row.try_get(0).map_err(read)?;
    let is_standby: bool = row.try_get(1).map_err(read)?;
    if version < OLDEST_SERVER {
        return Err(StoreError::invalid(format!(
            "connect: the server is PostgreSQL {}; the store needs 14 or newer",
            version / 10_000
        )));
    }
    if is_standby {
        return Err(StoreError::unavailable(
            "connect: the server is a stand-by, which does not tell which appends are under way: connect to the primary",
        ));
    }
    Ok(())
}
