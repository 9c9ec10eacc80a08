//! Appends in a transaction of the program's own.

use annals::{Append, Receipt, StoreError, WriteError};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Postgres, Transaction};

use super::batch::{Batch, Given};
use super::known::{Known, Verdict};
use super::outage::{DOING, unknown_or};
use super::settle::unwritable;
use crate::database::Database;
use crate::error::{Failure, store_error};

/// How often the append may meet what others have just stored.
const TRIES: u32 = 100;

/// Appends behind a savepoint, so that what is refused leaves the rest of the transaction as it is.
pub(crate) async fn append(
    database: &Database,
    transaction: &mut Transaction<'_, Postgres>,
    appends: &[Append],
) -> Result<Vec<Receipt>, WriteError> {
    if let Some(fault) = appends.iter().find_map(Append::fault) {
        return Err(StoreError::invalid(fault).into());
    }
    if appends.is_empty() {
        return Ok(Vec::new());
    }
    for _ in 0..TRIES {
        match tried(database, transaction, appends).await {
            Ok(Some(receipts)) => return Ok(receipts),
            Ok(None) | Err(Failure::Taken) => {}
            // The transaction is lost with its connection, or undone, and nothing of it is stored.
            Err(
                Failure::Failed(error)
                | Failure::Blocked(error)
                | Failure::Lost(error)
                | Failure::Undone(error),
            ) => return Err(unknown_or(false, appends, &error)),
        }
        let touched: Vec<&Append> = appends.iter().collect();
        let known = Known::look(transaction, &database.statements, &touched).await;
        let mut known = known.map_err(|error| store_error(DOING, error))?;
        if let Verdict::Answer(answer) = known.decide(appends) {
            return answer;
        }
    }
    Err(StoreError::unavailable("append: others were faster each time").into())
}

async fn tried(
    database: &Database,
    connection: &mut PgConnection,
    appends: &[Append],
) -> Result<Option<Vec<Receipt>>, Failure> {
    let failed = |error| Failure::of(DOING, error);
    let batch = Batch::of(appends).map_err(unwritable)?;
    let mut savepoint = connection.begin().await.map_err(failed)?;
    let rows = match batch.query(&database.statements).fetch_all(&mut *savepoint).await {
        Ok(rows) => rows,
        Err(error) => {
            let failure = failed(error);
            savepoint.rollback().await.map_err(failed)?;
            return Err(failure);
        }
    };
    let Some(given) = Given::read(&rows).map_err(failed)? else {
        savepoint.rollback().await.map_err(failed)?;
        return Ok(None);
    };
    let receipts = batch.receipts(&given);
    if database.tells {
        // Told when the transaction commits, and not at all if it does not.
        let notify = database.statements.notify();
        notify.execute(&mut *savepoint).await.map_err(failed)?;
    }
    savepoint.commit().await.map_err(failed)?;
    Ok(Some(receipts))
}
