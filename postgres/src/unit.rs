//! Units of work: events, rows, checkpoints and what processes have to do, in one transaction.

use std::collections::HashMap;

use annals::{
    Append, CheckpointChange, Deadline, DeadlineChange, Fence, OutgoingCommand, Receipt, RowChange,
    StoreError, UnitOfWork, WriteError,
};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};

use crate::append::{Batch, DOING, Given, Known, Outage, Verdict, bounded, unknown_or, unsigned};
use crate::database::Database;
use crate::error::Failure;
use crate::instant::Instant;

/// What came of one try.
enum Tried {
    Done(Vec<Receipt>),
    /// A stream is not where it was expected, and nothing was stored.
    Met,
    /// The lease has passed to another, and nothing was stored.
    Fenced(WriteError),
}

/// Does all of the work or none.
pub(crate) async fn commit(
    database: &Database,
    work: UnitOfWork,
) -> Result<Vec<Receipt>, WriteError> {
    if let Some(fault) = work.appends.iter().find_map(Append::fault) {
        return Err(StoreError::invalid(fault).into());
    }
    let mut outage = Outage::new(database.patience);
    let mut is_lost = false;
    loop {
        let acquired = database.acquire(DOING).await;
        let mut connection =
            acquired.map_err(|error| unknown_or(is_lost, &work.appends, &error))?;
        let failure = match tried(database, &mut connection, &work).await {
            Ok(Tried::Done(receipts)) => return Ok(receipts),
            Ok(Tried::Fenced(fenced)) => return Err(fenced),
            Ok(Tried::Met) | Err(Failure::Taken) => {
                let appends: Vec<&Append> = work.appends.iter().collect();
                match Known::look(&mut connection, &database.statements, &appends).await {
                    Ok(mut known) => match known.decide(&work.appends) {
                        Verdict::Answer(answer) => return answer,
                        Verdict::Go | Verdict::Later => continue,
                    },
                    Err(error) => Failure::of(DOING, error),
                }
            }
            Err(failure) => failure,
        };
        let is_broken = matches!(failure, Failure::Lost(_));
        match failure {
            Failure::Taken => {}
            Failure::Failed(error) | Failure::Blocked(error) => {
                return Err(unknown_or(is_lost, &work.appends, &error));
            }
            Failure::Undone(error) | Failure::Lost(error) => {
                if is_broken {
                    // What is broken does not go back.
                    drop(connection.detach());
                    is_lost = true;
                } else {
                    drop(connection);
                }
                if outage.is_over() {
                    return Err(unknown_or(is_lost, &work.appends, &error));
                }
                outage.pause().await;
            }
        }
    }
}

async fn tried(
    database: &Database,
    connection: &mut PgConnection,
    work: &UnitOfWork,
) -> Result<Tried, Failure> {
    let failed = |error| Failure::of(DOING, error);
    let statements = &database.statements;
    let mut transaction = connection.begin().await.map_err(failed)?;
    let mut receipts = Vec::new();
    if !work.appends.is_empty() {
        let batch = Batch::of(&work.appends).map_err(unwritable)?;
        let row = batch.query(statements).fetch_optional(&mut *transaction).await;
        let Some(row) = row.map_err(failed)? else {
            transaction.rollback().await.map_err(failed)?;
            return Ok(Tried::Met);
        };
        receipts = batch.receipts(&Given::read(&row).map_err(failed)?);
    }
    if let Some(change) = &work.checkpoint
        && let Some(fenced) = move_checkpoint(database, &mut transaction, change).await?
    {
        transaction.rollback().await.map_err(failed)?;
        return Ok(Tried::Fenced(fenced));
    }
    change_rows(database, &mut transaction, &work.rows).await.map_err(failed)?;
    change_outgoing(database, &mut transaction, &work.outgoing, &work.answered).await?;
    change_deadlines(database, &mut transaction, &work.deadlines).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    Ok(Tried::Done(receipts))
}

/// Moves a checkpoint under its lease, whose row it locks; gives back why it may not.
async fn move_checkpoint(
    database: &Database,
    connection: &mut PgConnection,
    change: &CheckpointChange,
) -> Result<Option<WriteError>, Failure> {
    let CheckpointChange { fence: Fence { id, epoch }, position } = change;
    let (name, version, shard) = (&id.name, i64::from(id.version), i64::from(id.shard));
    let moved = sqlx::query(database.statements.checkpoint_move())
        .bind(name)
        .bind(version)
        .bind(shard)
        .bind(bounded(*epoch))
        .bind(bounded(position.get()))
        .execute(&mut *connection)
        .await
        .map_err(|error| Failure::of(DOING, error))?;
    if moved.rows_affected() > 0 {
        return Ok(None);
    }
    let row = sqlx::query(database.statements.lease_epoch())
        .bind(name)
        .bind(version)
        .bind(shard)
        .fetch_optional(connection)
        .await
        .map_err(|error| Failure::of(DOING, error))?;
    let current = match row {
        Some(row) => unsigned(row.try_get(0).map_err(|error| Failure::of(DOING, error))?),
        None => 0,
    };
    Ok(Some(WriteError::Fenced { name: name.clone(), held: *epoch, current }))
}

async fn change_rows(
    database: &Database,
    connection: &mut PgConnection,
    changes: &[RowChange],
) -> Result<(), sqlx::Error> {
    // The last change of a row is what counts.
    let mut last: HashMap<(&str, &str), Option<&str>> = HashMap::new();
    for change in changes {
        match change {
            RowChange::Upsert { model, row } => {
                last.insert((model, &row.key.0), Some(row.data.as_str()));
            }
            RowChange::Delete { model, key } => {
                last.insert((model, &key.0), None);
            }
        }
    }
    let mut last: Vec<_> = last.into_iter().collect();
    // Sorted: writers that meet lock in one order.
    last.sort_unstable();
    let (mut models, mut keys, mut data) = (Vec::new(), Vec::new(), Vec::new());
    let (mut gone_models, mut gone_keys) = (Vec::new(), Vec::new());
    for ((model, key), row) in last {
        if let Some(row) = row {
            models.push(model);
            keys.push(key);
            data.push(row);
        } else {
            gone_models.push(model);
            gone_keys.push(key);
        }
    }
    let statements = &database.statements;
    if !models.is_empty() {
        let upsert = sqlx::query(statements.rows_upsert()).bind(&models).bind(&keys).bind(&data);
        upsert.execute(&mut *connection).await?;
    }
    if !gone_models.is_empty() {
        let delete = sqlx::query(statements.rows_delete()).bind(&gone_models).bind(&gone_keys);
        delete.execute(connection).await?;
    }
    Ok(())
}

async fn change_outgoing(
    database: &Database,
    connection: &mut PgConnection,
    commands: &[OutgoingCommand],
    answered: &[String],
) -> Result<(), Failure> {
    let failed = |error| Failure::of(DOING, error);
    if !answered.is_empty() {
        let delete = sqlx::query(database.statements.outgoing_answered()).bind(answered);
        delete.execute(&mut *connection).await.map_err(failed)?;
    }
    if commands.is_empty() {
        return Ok(());
    }
    let metadata: Result<Vec<String>, _> =
        commands.iter().map(|command| serde_json::to_string(&*command.metadata)).collect();
    let metadata = metadata.map_err(unwritable)?;
    let processes: Vec<&str> = commands.iter().map(|command| command.process.as_str()).collect();
    let keys: Vec<&str> = commands.iter().map(|command| &*command.key).collect();
    let names: Vec<&str> = commands.iter().map(|command| &*command.command).collect();
    let data: Vec<&str> = commands.iter().map(|command| command.data.as_str()).collect();
    let add = sqlx::query(database.statements.outgoing_add())
        .bind(&processes)
        .bind(&keys)
        .bind(&names)
        .bind(&data)
        .bind(&metadata);
    add.execute(connection).await.map_err(failed)?;
    Ok(())
}

async fn change_deadlines(
    database: &Database,
    connection: &mut PgConnection,
    changes: &[DeadlineChange],
) -> Result<(), sqlx::Error> {
    for change in changes {
        let query = match change {
            DeadlineChange::Set(Deadline { process, name, due }) => {
                sqlx::query(database.statements.deadline_set())
                    .bind(process.as_str())
                    .bind(name)
                    .bind(Instant(*due))
            }
            DeadlineChange::Cancel { process, name } => {
                sqlx::query(database.statements.deadline_cancel()).bind(process.as_str()).bind(name)
            }
        };
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

fn unwritable(error: serde_json::Error) -> Failure {
    let message = "append: the metadata cannot be written as JSON";
    Failure::Failed(StoreError::invalid(message).with_source(error))
}
