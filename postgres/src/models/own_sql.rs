//! Projections that are SQL of one's own: a transaction that moves the checkpoint under its lease, and does whatever else its
//! owner wants.

use std::fmt;
use std::time::Duration;

use annals::projection::{CatalogEntry, ModelDefinition, ParkedEvent};
use annals::{CheckpointChange, RowChange, StoreError, WriteError};
use futures::future::BoxFuture;
use sqlx::postgres::PgConnection;
use sqlx::{Executor as _, Postgres, Transaction};
use tokio::time::timeout;
use uuid::Uuid;

use super::write::{Refusal, change_rows};
use crate::checkpoint::{Move, Moved};
use crate::error::{in_database, store_error};
use crate::store::PostgresStore;

const DOING: &str = "write by own SQL";

/// The transaction of one batch of a projection: whoever has lost the lease gets none.
///
/// Dropped before it is [committed](Self::commit), it has done nothing.
pub struct BatchTransaction {
    store: PostgresStore,
    transaction: Transaction<'static, Postgres>,
}

impl PostgresStore {
    /// Begins the transaction of a batch, in which the checkpoint is moved, and the lease locked.
    ///
    /// For a [`Projector`](annals::projection::Projector) that writes by SQL of its own:
    ///
    /// ```no_run
    /// # use annals::projection::{Batch, BatchDone, BatchError};
    /// # use annals::{StoreError, WriteError};
    /// # async fn apply(store: annals_postgres::PostgresStore, batch: &Batch<'_>) -> Result<BatchDone, BatchError> {
    /// let mut transaction = store.begin_batch(&batch.checkpoint).await?;
    /// for event in batch.events {
    ///     sqlx::query("INSERT INTO audit (position, event_type) VALUES ($1, $2)")
    ///         .bind(i64::try_from(event.position.get()).unwrap_or(i64::MAX))
    ///         .bind(&*event.event_type)
    ///         .execute(transaction.connection())
    ///         .await
    ///         .map_err(|error| BatchError::OneOf(error.to_string()))?;
    /// }
    /// transaction.commit().await?;
    /// # Ok(BatchDone::default())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`WriteError::Fenced`] if the lease has passed to another; [`WriteError::Store`] otherwise.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has moved nothing.
    pub async fn begin_batch(
        &self,
        checkpoint: &CheckpointChange,
    ) -> Result<BatchTransaction, WriteError> {
        let database = self.database();
        let failed = |error| WriteError::Store(store_error(DOING, error));
        let begin = async {
            let mut transaction = database.begin(DOING).await?;
            let moving = Move {
                change: checkpoint,
                unit: Uuid::now_v7(),
                is_in_doubt: false,
                // What is given up before its commit is undone.
                is_after_others: false,
            };
            let moved = moving.run(database, &mut transaction).await;
            if let Moved::Refused(refused) =
                moved.map_err(|failure| Refusal::Failure(failure).into_error())?
            {
                return Err(refused);
            }
            guard(&mut transaction).await.map_err(failed)?;
            Ok(BatchTransaction { store: self.clone(), transaction })
        };
        timeout(database.silence, begin).await.map_err(|_| database.silent(DOING))?
    }

    /// Prepares a projection that writes by SQL of its own: `setup` makes its tables, once for each version, in the transaction
    /// that keeps the definition. Engines that start at once wait for each other.
    ///
    /// ```no_run
    /// # use annals::StoreError;
    /// # use annals::projection::ModelDefinition;
    /// # async fn run(store: annals_postgres::PostgresStore, definition: ModelDefinition) -> Result<(), StoreError> {
    /// let entry = store
    ///     .prepare_own_sql(&definition, |connection| {
    ///         Box::pin(async move {
    ///             sqlx::query("CREATE TABLE audit (line text NOT NULL)").execute(connection).await?;
    ///             Ok(())
    ///         })
    ///     })
    ///     .await?;
    /// # let _ = entry;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`ReadModelStore::prepare`](annals::ReadModelStore::prepare), and when the setup fails.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has made everything or nothing.
    pub async fn prepare_own_sql(
        &self,
        definition: &ModelDefinition,
        setup: impl for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<(), SqlError>>
        + Send
        + Sync,
    ) -> Result<CatalogEntry, StoreError> {
        super::catalog::prepare_with(self.database(), definition, Some(&setup)).await
    }
}

/// An error of a projection's own code.
pub type SqlError = Box<dyn std::error::Error + Send + Sync>;

/// What makes the tables of a projection of own SQL.
pub(super) type Setup<'a> =
    &'a (dyn for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<(), SqlError>> + Send + Sync);

/// Begins what others write within a transaction: [`settle`] then finds out whether it is still that transaction.
pub(super) async fn guard(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute("SAVEPOINT annals_own_sql").await.map(drop)
}

/// Fails if a statement failed of which nobody was told, or the transaction was ended by hand: a commit would succeed, and
/// nothing be written.
pub(super) async fn settle(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute("RELEASE SAVEPOINT annals_own_sql").await.map(drop)
}

/// Whether an error says that the transaction is not there any more: a method has ended it.
pub(crate) fn tells_of_end(error: &sqlx::Error) -> bool {
    in_database(error).is_some_and(|found| matches!(found.code(), "3B001" | "25P01"))
}

impl BatchTransaction {
    /// Whether a method has ended the transaction, so that what it wrote is not rolled back.
    pub(crate) async fn is_ended(&mut self) -> bool {
        let back = self.transaction.execute("ROLLBACK TO SAVEPOINT annals_own_sql");
        matches!(timeout(self.store.database().silence, back).await, Ok(Err(error)) if tells_of_end(&error))
    }

    /// The connection, for statements of the projection's own.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Parks events in the same transaction.
    ///
    /// # Errors
    ///
    /// When the database cannot be written.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves the transaction to be rolled back.
    pub async fn park(
        &mut self,
        events: impl IntoIterator<Item = ParkedEvent>,
    ) -> Result<(), WriteError> {
        let changes: Vec<RowChange> = events.into_iter().map(RowChange::Park).collect();
        self.change(&changes).await
    }

    /// Parks events, or takes them back, in the same transaction.
    pub(crate) async fn change(&mut self, changes: &[RowChange]) -> Result<(), WriteError> {
        let written = change_rows(self.store.database(), &mut self.transaction, changes).await;
        written.map_err(Refusal::into_error)
    }

    /// Commits all of it.
    ///
    /// # Errors
    ///
    /// When a statement before has failed, the database refuses it, or the connection was lost: the checkpoint then tells
    /// whether it was done.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has done all or nothing.
    pub async fn commit(mut self) -> Result<(), WriteError> {
        let failed = |error| WriteError::Store(store_error(DOING, error));
        self.settle().await.map_err(failed)?;
        self.finish().await.map_err(failed)
    }

    /// Fails if a statement has failed before, or the transaction was ended by hand.
    pub(crate) async fn settle(&mut self) -> Result<(), sqlx::Error> {
        let settled = timeout(self.silence(), settle(&mut self.transaction)).await;
        settled.map_err(|elapsed| sqlx::Error::Io(elapsed.into()))?
    }

    /// How long the server may say nothing.
    pub(crate) fn silence(&self) -> Duration {
        self.store.database().silence
    }

    /// The error of a server that said nothing for longer.
    pub(crate) fn silent(&self) -> StoreError {
        self.store.database().silent(DOING)
    }

    /// Commits what is settled.
    pub(crate) async fn finish(self) -> Result<(), sqlx::Error> {
        let Self { store, transaction } = self;
        let finished = timeout(store.database().silence, transaction.commit()).await;
        finished.map_err(|elapsed| sqlx::Error::Io(elapsed.into()))?
    }

    /// Gives all of it up. Tells whether the connection still answers.
    pub(crate) async fn give_up(self) -> bool {
        let Self { store, transaction } = self;
        let given_up = timeout(store.database().silence, transaction.rollback()).await;
        matches!(given_up, Ok(Ok(())))
    }
}

impl fmt::Debug for BatchTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchTransaction").field("store", &self.store).finish_non_exhaustive()
    }
}
