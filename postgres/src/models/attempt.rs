//! Changes of tables and of the catalog: each a transaction, one after the other, sent again while the server is away.

use annals::{StoreError, WriteError};
use sqlx::{Postgres, Transaction};

use crate::append::{Outage, unconnected};
use crate::database::Database;
use crate::error::{Failure, in_database};

/// Why a change was not made.
pub(super) enum Trouble {
    /// The store's answer, which stays the same.
    Answer(WriteError),
    Failure(Failure),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Answer(error.into())
    }
}

impl From<WriteError> for Trouble {
    fn from(error: WriteError) -> Self {
        Self::Answer(error)
    }
}

/// The tries of one change.
pub(super) struct Attempts<'a> {
    database: &'a Database,
    doing: String,
    outage: Outage,
    /// Whether a connection was lost with a try: it may be done.
    pub(super) is_lost: bool,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(database: &'a Database, doing: String) -> Self {
        Self { database, doing, outage: Outage::new(database.patience), is_lost: false }
    }

    /// Begins a transaction in which nobody else changes tables.
    pub(super) async fn begin(&mut self) -> Result<Transaction<'static, Postgres>, Trouble> {
        let Self { database, .. } = self;
        let begun = database.begin(&self.doing).await;
        let mut transaction = begun.map_err(|error| Trouble::Failure(unconnected(error)))?;
        let locked = async {
            database.statements.models_lock().execute(&mut *transaction).await?;
            database.statements.models_patience().execute(&mut *transaction).await?;
            Ok(())
        };
        locked.await.map_err(|error| self.failed(error))?;
        Ok(transaction)
    }

    pub(super) async fn commit(
        &self,
        transaction: Transaction<'static, Postgres>,
    ) -> Result<(), Trouble> {
        transaction.commit().await.map_err(|error| self.failed(error))
    }

    /// What an error of a statement means.
    pub(super) fn failed(&self, error: sqlx::Error) -> Trouble {
        let doing = &self.doing;
        match in_database(&error).map(|found| found.code().to_owned()).as_deref() {
            Some("42501") => StoreError::invalid(format!(
                "{doing}: the role may not make tables here: grant it what `PostgresStore::engine_grants` prints, \
                 or start an engine once as a role that may"
            ))
            .with_source(error)
            .into(),
            Some("2BP01") => StoreError::invalid(format!(
                "{doing}: something else in the database depends on what has to go: drop it first"
            ))
            .with_source(error)
            .into(),
            _ => Trouble::Failure(Failure::of(doing, error)),
        }
    }

    /// Waits until it is time for another try; gives back the error if there is none.
    pub(super) async fn again(&mut self, trouble: Trouble) -> Result<(), WriteError> {
        let error = match trouble {
            Trouble::Answer(error) => return Err(error),
            Trouble::Failure(Failure::Failed(error)) => return Err(error.into()),
            Trouble::Failure(Failure::Taken) => {
                StoreError::unavailable(format!("{}: others were faster each time", self.doing))
            }
            Trouble::Failure(Failure::Undone(error) | Failure::Blocked(error)) => error,
            Trouble::Failure(Failure::Lost(error)) => {
                self.is_lost = true;
                error
            }
        };
        if self.outage.is_over() {
            return Err(error.into());
        }
        tracing::warn!(%error, doing = self.doing, "tries again");
        self.outage.pause().await;
        Ok(())
    }
}

/// The error of what writes no rows.
pub(super) fn of_store(error: WriteError) -> StoreError {
    match error {
        WriteError::Store(error) => error,
        error => StoreError::other(error.to_string()),
    }
}
