//! Rows that are written: all changes of a batch in one statement, which moves the checkpoint under its lease as well.
//!
//! The statement moves the checkpoint first, which locks the lease, and does the rest only if it could: whoever has lost the
//! lease writes nothing. Rows that go, go before those that come, and what is unique is checked in the end.

use annals::read_model::ModelTable;
use annals::{CheckpointChange, RowChange, StoreError, WriteError};
use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use tokio::time::timeout;
use uuid::Uuid;

use super::changes::{Changes, Why};
use crate::append::Outage;
use crate::checkpoint::{Move, Moved};
use crate::database::Database;
use crate::error::Failure;

const DOING: &str = "write rows";

/// Why nothing was written.
pub(crate) enum Refusal {
    /// The answer to the writer.
    Answer(WriteError),
    Failure(Failure),
}

impl Refusal {
    /// What a caller is told who cannot try again.
    pub(super) fn into_error(self) -> WriteError {
        match self {
            Self::Answer(error) => error,
            Self::Failure(Failure::Taken) => {
                StoreError::unavailable(format!("{DOING}: others were faster")).into()
            }
            Self::Failure(
                Failure::Failed(error)
                | Failure::Blocked(error)
                | Failure::Lost(error)
                | Failure::Undone(error),
            ) => error.into(),
        }
    }
}

impl From<WriteError> for Refusal {
    fn from(error: WriteError) -> Self {
        Self::Answer(error)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Answer(error.into())
    }
}

/// Writes rows and moves the checkpoint, all or none, in one round trip.
pub(crate) async fn write_rows(
    database: &Database,
    changes: &[RowChange],
    checkpoint: &CheckpointChange,
) -> Result<(), WriteError> {
    let changes = Changes::of(changes)?;
    let mut outage = Outage::new(database.patience);
    let mut moving = Move {
        change: checkpoint,
        unit: Uuid::now_v7(),
        is_in_doubt: false,
        is_after_others: true,
    };
    loop {
        let mut connection = match database.acquire(DOING).await {
            Ok(connection) => connection,
            Err(error) => return Err(not_done(&moving, error)),
        };
        let writing = write(&changes, database, &mut connection, Some(&moving));
        let written = timeout(database.silence, writing).await;
        let error = match written {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(Refusal::Answer(WriteError::MovedBack { position, to, .. })))
                if position == to =>
            {
                if moving.is_in_doubt {
                    return Err(not_done(&moving, moved_by_another(checkpoint)));
                }
                // Another has come there first, beside it: this one has not come late, since somebody waits for it.
                moving.is_after_others = false;
                continue;
            }
            Ok(Err(Refusal::Answer(error))) => return Err(error),
            Ok(Err(Refusal::Failure(Failure::Failed(error) | Failure::Blocked(error)))) => {
                return Err(not_done(&moving, error));
            }
            Ok(Err(Refusal::Failure(Failure::Undone(error)))) => {
                drop(connection);
                error
            }
            Ok(Err(Refusal::Failure(Failure::Taken))) => {
                drop(connection);
                StoreError::unavailable(format!("{DOING}: others were faster each time"))
            }
            Ok(Err(Refusal::Failure(Failure::Lost(error)))) => {
                // What is broken does not go back.
                drop(connection.detach());
                moving.is_in_doubt = true;
                error
            }
            Err(_) => {
                drop(connection.detach());
                moving.is_in_doubt = true;
                database.silent(DOING)
            }
        };
        if outage.is_over() {
            return Err(not_done(&moving, error));
        }
        tracing::warn!(%error, "rows are written again");
        outage.pause().await;
    }
}

fn moved_by_another(checkpoint: &CheckpointChange) -> StoreError {
    let name = &checkpoint.fence.id.name;
    StoreError::other(format!("`{name}` has been moved by another since the connection was lost"))
}

/// What a writer is told whose last try was not done: nobody knows of the one before it whose connection was lost.
fn not_done(moving: &Move<'_>, error: StoreError) -> WriteError {
    if moving.is_in_doubt { WriteError::UnknownCommit { source: error } } else { error.into() }
}

/// Changes rows in a transaction that is open already.
pub(crate) async fn change_rows(
    database: &Database,
    connection: &mut PgConnection,
    changes: &[RowChange],
) -> Result<(), Refusal> {
    let changes = Changes::of(changes)?;
    if changes.is_empty() {
        return Ok(());
    }
    write(&changes, database, connection, None).await
}

/// Writes all of it in one statement, under a lease if it is given one.
async fn write(
    changes: &Changes<'_>,
    database: &Database,
    connection: &mut PgConnection,
    checkpoint: Option<&Move<'_>>,
) -> Result<(), Refusal> {
    let statement = changes.statement(database, checkpoint)?;
    let row = match statement.query(&database.statements).fetch_one(&mut *connection).await {
        Ok(row) => row,
        Err(error) => {
            return Err(match changes.refused(error) {
                Why::Refused(error) => error.into(),
                Why::NoTable(table, error) => match checkpoint {
                    Some(change) => no_table(database, connection, change, table, error).await,
                    None => not_there(table, error).into(),
                },
                Why::Other(error) => Refusal::Failure(Failure::of(DOING, error)),
            });
        }
    };
    let moved: i64 = row.try_get(0).map_err(failed)?;
    match checkpoint {
        Some(moving) if moved == 0 => {
            match moving.look(database, connection).await.map_err(failed)? {
                Moved::Done | Moved::Before => Ok(()),
                Moved::Refused(refused) => Err(refused.into()),
            }
        }
        _ => Ok(()),
    }
}

fn failed(error: sqlx::Error) -> Refusal {
    Refusal::Failure(Failure::of(DOING, error))
}

/// What a writer is told whose table is not there: that another generation has taken over, if it has.
async fn no_table(
    database: &Database,
    connection: &mut PgConnection,
    moving: &Move<'_>,
    table: &ModelTable,
    error: sqlx::Error,
) -> Refusal {
    match moving.look(database, connection).await {
        Ok(Moved::Refused(fenced @ WriteError::Fenced { .. })) => fenced.into(),
        Ok(_) => not_there(table, error).into(),
        Err(error) => failed(error),
    }
}

fn not_there(table: &ModelTable, error: sqlx::Error) -> StoreError {
    StoreError::invalid(format!(
        "{DOING}: there is no table `{table}`: prepare its projection first, as an engine does at its start"
    ))
    .with_source(error)
}
