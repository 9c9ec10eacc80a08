//! The way to the database: the pool, the statements, and how long an outage is borne.

use std::sync::Arc;
use std::time::{Duration, Instant};

use annals::metrics::POOL_WAIT_SECONDS;
use annals::{PayloadCodec, StoreError};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow, Postgres};
use sqlx::{AssertSqlSafe, ConnectOptions, PgPool};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::error::{Failure, is_lost, store_error};
use crate::statements::{Schema, Statements};

/// A statement with what is bound to it.
pub(crate) type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

/// What all parts of a store share.
pub(crate) struct Database {
    pub(crate) pool: PgPool,
    pub(crate) schema: Schema,
    pub(crate) statements: Statements,
    pub(crate) codec: Arc<dyn PayloadCodec>,
    /// How long a write is sent again after its connection was lost.
    pub(crate) patience: Duration,
    /// How long a server may say nothing before its connection counts as lost.
    pub(crate) silence: Duration,
    /// The turns of appends that wait for another transaction's lock.
    pub(crate) aside: Semaphore,
}

/// How many appends may wait for other transactions' locks at once, each over a connection of its own.
pub(crate) const ASIDE: usize = 4;

impl Database {
    pub(crate) async fn acquire(
        &self,
        doing: &str,
    ) -> Result<PoolConnection<Postgres>, StoreError> {
        let begun = Instant::now();
        let acquired = self.pool.acquire().await;
        metrics::histogram!(POOL_WAIT_SECONDS).record(begun.elapsed());
        acquired.map_err(|error| store_error(doing, error))
    }

    /// A connection beside the pool.
    pub(crate) async fn connect(&self, doing: &str) -> Result<PgConnection, StoreError> {
        let options = with_read_committed((*self.pool.connect_options()).clone());
        self.connect_with(doing, options).await
    }

    /// A connection beside the pool that waits for a lock no longer than this.
    pub(crate) async fn connect_writer(
        &self,
        doing: &str,
        lock_timeout: Duration,
    ) -> Result<PgConnection, StoreError> {
        let options = with_read_committed((*self.pool.connect_options()).clone());
        let millis = lock_timeout.as_millis().max(1).to_string();
        self.connect_with(doing, options.options([("lock_timeout", millis)])).await
    }

    async fn connect_with(
        &self,
        doing: &str,
        options: PgConnectOptions,
    ) -> Result<PgConnection, StoreError> {
        match timeout(self.silence, options.connect()).await {
            Ok(connected) => connected.map_err(|error| store_error(doing, error)),
            Err(_) => Err(self.silent(doing)),
        }
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

    fn silent(&self, doing: &str) -> StoreError {
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
            let mut connection = self.acquire(doing).await?;
            match query().fetch_all(&mut *connection).await {
                Ok(rows) => return Ok(rows),
                Err(error) => tries.go_on(doing, connection, error)?,
            }
        }
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
            let mut connection = self.acquire(doing).await?;
            match query().execute(&mut *connection).await {
                Ok(done) => return Ok(done.rows_affected()),
                Err(error) => tries.go_on(doing, connection, error)?,
            }
        }
    }

    /// Tells other processes that something was appended.
    pub(crate) async fn tell(&self) {
        let sql = format!("SELECT pg_notify('{}', '')", self.schema.channel());
        if let Err(error) = sqlx::query(AssertSqlSafe(sql)).execute(&self.pool).await {
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

/// How many more connections may turn out to be dead.
struct Tries(u32);

impl Tries {
    /// Lets another connection be tried if this one is dead.
    fn go_on(
        &mut self,
        doing: &str,
        connection: PoolConnection<Postgres>,
        error: sqlx::Error,
    ) -> Result<(), StoreError> {
        if !is_lost(&error) || self.0 == 0 {
            return Err(store_error(doing, error));
        }
        self.0 -= 1;
        tracing::debug!(%error, doing, "a connection was dead");
        // What is broken does not go back.
        drop(connection.detach());
        Ok(())
    }
}
