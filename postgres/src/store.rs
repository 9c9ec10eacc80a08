//! The store, and how it is made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use annals::{Append, PayloadCodec, PlainJson, Receipt, StoreError, WriteError};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres, Row, Transaction};
use tokio::sync::Semaphore;

use crate::append::{Appender, Limits, micros, within};
use crate::database::{ASIDE, Database, with_read_committed};
use crate::error::store_error;
use crate::migrate;
use crate::statements::{Schema, Statements};
use crate::wake::Wake;

/// The oldest server, as `server_version_num` has it.
const OLDEST_SERVER: i32 = 140_000;

/// What a server is asked first.
const SERVER: &str = "SELECT current_setting('server_version_num')::integer, pg_is_in_recovery()";

/// A store on PostgreSQL. Clones are the same store.
///
/// It keeps events, snapshots, rows of read models, checkpoints and what processes have to do in tables of one schema, so
/// that all of it is committed together by a unit of work.
///
/// ```no_run
/// use annals::prelude::*;
/// use annals_postgres::PostgresStore;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresStore::connect("postgres://localhost/shop").await?;
/// store.migrate().await?;
/// let bus = CommandBus::new(store.clone());
/// # let _ = bus;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) database: Arc<Database>,
    pub(crate) appender: Appender,
    pub(crate) wake: Arc<Wake>,
}

impl PostgresStore {
    /// Connects to a database, with the options of [`builder`](Self::builder) as they are.
    ///
    /// What the URL leaves out comes from the environment and the password file, as sqlx has it.
    ///
    /// # Errors
    ///
    /// When the URL is none, the server cannot be reached, is older than PostgreSQL 14, or is a stand-by.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::builder().connect(url).await
    }

    /// Takes a pool that the program has already.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn from_pool(pool: PgPool) -> Result<Self, StoreError> {
        Self::builder().from_pool(pool).await
    }

    /// Sets options before it connects.
    pub fn builder() -> PostgresStoreBuilder {
        PostgresStoreBuilder::default()
    }

    /// Brings the schema to the state that this release needs. It may be called each time a program starts, and by
    /// several at once.
    ///
    /// # Errors
    ///
    /// When a newer release has migrated the schema, or the role may not make tables.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        migrate::migrate(self.database()).await
    }

    /// The SQL that [`migrate`](Self::migrate) runs on an empty database, for those who run migrations themselves.
    pub fn migration_sql(&self) -> String {
        migrate::sql(&self.database().schema)
    }

    /// The SQL that grants a role what a program needs to append and read: it changes no history, and makes no tables.
    pub fn grants(&self, role: &str) -> String {
        migrate::grants(&self.database().schema, role)
    }

    /// The pool, for queries of the program's own.
    pub fn pool(&self) -> &PgPool {
        &self.database().pool
    }

    /// Appends in a transaction of the program's own, for what has to be written together with something else.
    ///
    /// **Readers of the log stop at the append until the transaction ends**, since nobody knows yet whether its events
    /// come: keep it short, and do nothing slow between the append and the commit. What is refused is undone by itself, and
    /// leaves the rest of the transaction as it is. The receipts hold once the transaction has committed.
    ///
    /// ```no_run
    /// # use annals::{Append, Expected, StreamId};
    /// # async fn run(store: annals_postgres::PostgresStore, events: Vec<annals::NewEvent>) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut transaction = store.pool().begin().await?;
    /// sqlx::query("INSERT INTO audit (line) VALUES ('opened')").execute(&mut *transaction).await?;
    /// let append = Append::new(StreamId::new("account", "ada"), Expected::NoStream, events);
    /// store.append_in(&mut transaction, vec![append]).await?;
    /// transaction.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`EventStore::append`](annals::EventStore::append), but never that the outcome is unknown: the commit tells. The
    /// transaction has to be at READ COMMITTED, as it is by default.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves the transaction to be rolled back.
    pub async fn append_in(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        appends: Vec<Append>,
    ) -> Result<Vec<Receipt>, WriteError> {
        within::append(self.database(), transaction, &appends).await
    }

    /// Removes snapshots that were saved longer ago than this, and tells how many there were. They are taken anew by the
    /// aggregate's policy; until then, its events are replayed.
    ///
    /// # Errors
    ///
    /// When the database cannot be written.
    pub async fn purge_snapshots(&self, older_than: Duration) -> Result<u64, StoreError> {
        self.database()
            .execute("purge snapshots", || {
                sqlx::query(self.database().statements.snapshot_purge()).bind(micros(older_than))
            })
            .await
    }

    pub(crate) fn database(&self) -> &Database {
        &self.inner.database
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("schema", &self.database().schema.as_str())
            .finish_non_exhaustive()
    }
}

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
    wake_up: bool,
    poll_interval: Duration,
    limits: Limits,
    patience: Duration,
    silence: Duration,
    codec: Arc<dyn PayloadCodec>,
}

impl Default for PostgresStoreBuilder {
    fn default() -> Self {
        Self {
            schema: "annals".to_owned(),
            max_connections: 10,
            acquire_timeout: Duration::from_secs(10),
            statement_timeout: None,
            wake_up: true,
            poll_interval: Duration::from_millis(250),
            limits: Limits { calls: 256, events: 4_096, bytes: 64 * 1024 * 1024 },
            patience: Duration::from_secs(5),
            silence: Duration::from_secs(30),
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

    /// Sets how many connections the pool has at most; by default 10. The store has two more for itself: one appends, and
    /// one listens.
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

    /// Sets how many callers' appends share a round trip at most; by default 256. With 1 each goes alone.
    pub fn batch_calls(mut self, calls: usize) -> Self {
        self.limits.calls = calls.max(1);
        self
    }

    /// Sets how many events share a round trip at most, of one caller always all; by default 4,096.
    pub fn batch_events(mut self, events: usize) -> Self {
        self.limits.events = events.max(1);
        self
    }

    /// Sets how many bytes of events wait to be appended at most; by default 64 MiB. Whoever comes then waits for room.
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

    /// Sets how long the server may take to answer an append before its connection counts as lost, as when the server's
    /// machine is gone; by default 30 seconds. Whether it was done is then found out over another connection.
    pub fn silence(mut self, silence: Duration) -> Self {
        self.silence = silence;
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
        let mut options: PgConnectOptions =
            url.parse().map_err(|error| store_error(doing, error))?;
        options = with_read_committed(options);
        if let Some(timeout) = self.statement_timeout {
            options = options.options([("statement_timeout", timeout.as_millis().to_string())]);
        }
        let pool = PgPoolOptions::new()
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
    /// # Errors
    ///
    /// As [`PostgresStore::connect`].
    pub async fn from_pool(self, pool: PgPool) -> Result<PostgresStore, StoreError> {
        let schema = Schema::parse(&self.schema)?;
        let statements = Statements::new(&schema);
        let database = Arc::new(Database {
            pool,
            schema,
            statements,
            codec: self.codec,
            patience: self.patience,
            silence: self.silence,
            aside: Semaphore::new(ASIDE),
        });
        check_server(&database).await?;
        let wake = Arc::new(Wake::new(self.wake_up, self.poll_interval));
        let appender = Appender::new(database.clone(), wake.clone(), self.limits);
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
    let row = database.fetch_one("connect", || sqlx::query(SERVER)).await?;
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
