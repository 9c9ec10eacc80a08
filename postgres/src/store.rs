//! The store, and what it does beside the ports.

use std::fmt;
use std::sync::Arc;

use annals::{Append, Receipt, StoreError, WriteError};
use sqlx::{PgPool, Postgres, Transaction};

use crate::append::{Appender, within};
use crate::builder::PostgresStoreBuilder;
use crate::database::Database;
use crate::wake::Wake;
use crate::{migrate, snapshots};

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

    /// The SQL that grants a role what an engine needs beside [`grants`](Self::grants): it makes the tables and views of read
    /// models, in the store's schema and in the first of the `search_path` at the time when it is run.
    ///
    /// A role without it runs projections whose tables another role has prepared. What a role has made is its own: engines that
    /// make tables run as one role, or as members of it.
    pub fn engine_grants(&self, role: &str) -> String {
        migrate::engine_grants(&self.database().schema, role)
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

    /// Removes the snapshots that the builder's [`snapshot_versions`](PostgresStoreBuilder::snapshot_versions) and
    /// [`snapshot_lifetime`](PostgresStoreBuilder::snapshot_lifetime) do not keep, and tells how many there were. They are
    /// taken anew by the aggregate's policy; until then, its events are replayed.
    ///
    /// It removes a few at a time, and passes over what is being written: no writer waits for it. Call it from time to time,
    /// as [`purge_keys`](annals::EventStore::purge_keys), from one program.
    ///
    /// # Errors
    ///
    /// When the database cannot be written.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has removed some.
    pub async fn purge_snapshots(&self) -> Result<u64, StoreError> {
        snapshots::purge(self.database()).await
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
