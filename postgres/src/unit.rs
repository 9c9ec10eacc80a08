//! Units of work: events, rows, checkpoints and what processes have to do, in one transaction.

use std::collections::HashMap;

use annals::{
    Append, CheckpointChange, Deadline, DeadlineChange, OutgoingCommand, Receipt, StoreError,
    StreamId, Timestamp, UnitOfWork, WriteError,
};
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::time::timeout;
use uuid::Uuid;

use crate::append::{Batch, DOING, Given, Known, Met, Outage, Verdict, unknown_or};
use crate::checkpoint::{Move, Moved};
use crate::database::Database;
use crate::error::Failure;
use crate::instant::Instant;
use crate::models::{Refusal, change_rows};

/// What came of one try.
enum Tried {
    Done(Vec<Receipt>),
    /// A stream is not where it was expected, and nothing was stored.
    Met,
    /// The checkpoint may not be moved, or a table does not take a row, and nothing was stored.
    Refused(WriteError),
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
    let mut unit = Unit { work, id: Uuid::now_v7(), is_lost: false };
    let mut met = Met::default();
    loop {
        let acquired = database.acquire(DOING).await;
        let mut connection = acquired.map_err(|error| unit.end(&error))?;
        let trying = timeout(database.silence, unit.tried(database, &mut connection));
        let tried = trying.await.unwrap_or_else(|_| Err(Failure::Lost(database.silent(DOING))));
        let mut was_sent = true;
        let failure = match tried {
            Ok(Tried::Done(receipts)) => return Ok(receipts),
            Ok(Tried::Refused(refused)) => return Err(refused),
            Ok(Tried::Met) | Err(Failure::Taken) => {
                match unit.look(database, &mut connection).await {
                    Ok(Verdict::Answer(answer)) => return answer,
                    Ok(Verdict::Go | Verdict::Later) => {
                        drop(connection);
                        match met.again().await {
                            Ok(()) => continue,
                            Err(error) => return Err(unit.end(&error)),
                        }
                    }
                    Err(failure) => {
                        // It had only looked.
                        was_sent = false;
                        failure
                    }
                }
            }
            Err(failure) => failure,
        };
        let is_broken = matches!(failure, Failure::Lost(_));
        match failure {
            Failure::Taken => {}
            Failure::Failed(error) | Failure::Blocked(error) => return Err(unit.end(&error)),
            Failure::Undone(error) | Failure::Lost(error) => {
                if is_broken {
                    // What is broken does not go back.
                    drop(connection.detach());
                    unit.is_lost |= was_sent;
                } else {
                    drop(connection);
                }
                if outage.is_over() {
                    return Err(unit.end(&error));
                }
                outage.pause().await;
            }
        }
    }
}

/// A unit of work on its way.
struct Unit {
    work: UnitOfWork,
    /// By which its checkpoint tells that it was done.
    id: Uuid,
    /// Whether a connection was lost with it: it may be done.
    is_lost: bool,
}

impl Unit {
    async fn tried(
        &self,
        database: &Database,
        connection: &mut PgConnection,
    ) -> Result<Tried, Failure> {
        if let Some(change) = self.work.only_checkpoint() {
            // One statement is a transaction of its own.
            return Ok(match self.moving(change).run(database, connection).await? {
                Moved::Done | Moved::Before => Tried::Done(Vec::new()),
                Moved::Refused(refused) => Tried::Refused(refused),
            });
        }
        let failed = |error| Failure::of(DOING, error);
        // Longer than an append of many callers, which would hold up others.
        let begin = database.beginning_to_wait(database.longest_lock());
        let mut transaction = connection.begin_with(begin).await.map_err(failed)?;
        let tried = self.tried_in(database, &mut transaction).await?;
        match tried {
            Ok(receipts) => {
                transaction.commit().await.map_err(failed)?;
                Ok(Tried::Done(receipts))
            }
            Err(tried) => {
                transaction.rollback().await.map_err(failed)?;
                Ok(tried)
            }
        }
    }

    /// Does the work in a transaction, which is then to be committed; or tells why there is nothing to commit.
    async fn tried_in(
        &self,
        database: &Database,
        connection: &mut PgConnection,
    ) -> Result<Result<Vec<Receipt>, Tried>, Failure> {
        let failed = |error| Failure::of(DOING, error);
        let work = &self.work;
        let mut receipts = Vec::new();
        if !work.appends.is_empty() && !work.rows.is_empty() {
            let streams: Vec<&str> =
                work.appends.iter().map(|append| append.stream_id.as_str()).collect();
            let locks = database.statements.stream_locks().bind(&streams);
            locks.execute(&mut *connection).await.map_err(failed)?;
        }
        if !work.appends.is_empty() {
            let batch = Batch::of(&work.appends).map_err(unwritable)?;
            let rows = batch.query(&database.statements).fetch_all(&mut *connection).await;
            let given = Given::read(&rows.map_err(failed)?).map_err(failed)?;
            let Some(given) = given else { return Ok(Err(Tried::Met)) };
            receipts = batch.receipts(&given);
        }
        if let Some(change) = &work.checkpoint {
            match self.moving(change).run(database, connection).await? {
                Moved::Done => {}
                Moved::Before => return Ok(Err(Tried::Done(receipts))),
                Moved::Refused(refused) => return Ok(Err(Tried::Refused(refused))),
            }
        }
        match change_rows(database, connection, &work.rows).await {
            Ok(()) => {}
            Err(Refusal::Answer(refused)) => return Ok(Err(Tried::Refused(refused))),
            Err(Refusal::Failure(failure)) => return Err(failure),
        }
        change_outgoing(database, connection, &work.outgoing, &work.answered).await?;
        change_deadlines(database, connection, &work.deadlines).await.map_err(failed)?;
        Ok(Ok(receipts))
    }

    fn moving<'a>(&self, change: &'a CheckpointChange) -> Move<'a> {
        // Events tell better: had they been stored, the append had met them.
        let tells_by_events = self.work.appends.iter().any(|append| !append.events.is_empty());
        let is_in_doubt = self.is_lost && !tells_by_events;
        // Many may commit at one position, in any order: what they write, the versions of their streams keep apart.
        Move { change, unit: self.id, is_in_doubt, is_after_others: false }
    }

    /// Looks what the work has met.
    async fn look(
        &self,
        database: &Database,
        connection: &mut PgConnection,
    ) -> Result<Verdict, Failure> {
        let appends: Vec<&Append> = self.work.appends.iter().collect();
        let looking = Known::look(connection, &database.statements, &appends);
        let mut known = database.answered(DOING, looking).await?;
        Ok(known.decide(&self.work.appends))
    }

    /// What the caller is told when the work came to no end.
    fn end(&self, error: &StoreError) -> WriteError {
        unknown_or(self.is_lost, &self.work.appends, error)
    }
}

async fn change_outgoing(
    database: &Database,
    connection: &mut PgConnection,
    commands: &[OutgoingCommand],
    answered: &[String],
) -> Result<(), Failure> {
    let failed = |error| Failure::of(DOING, error);
    if !answered.is_empty() {
        let delete = database.statements.outgoing_answered().bind(answered);
        delete.execute(&mut *connection).await.map_err(failed)?;
    }
    if commands.is_empty() {
        return Ok(());
    }
    let metadata: Result<Vec<String>, _> =
        commands.iter().map(|command| serde_json::to_string(&*command.metadata)).collect();
    let metadata = metadata.map_err(unwritable)?;
    let categories: Vec<&str> = commands.iter().map(|command| command.process.category()).collect();
    let processes: Vec<&str> = commands.iter().map(|command| command.process.as_str()).collect();
    let keys: Vec<&str> = commands.iter().map(|command| &*command.key).collect();
    let names: Vec<&str> = commands.iter().map(|command| &*command.command).collect();
    let data: Vec<&str> = commands.iter().map(|command| command.data.as_str()).collect();
    let add = database
        .statements
        .outgoing_add()
        .bind(&categories)
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
    // What is said of a deadline last holds.
    let mut last: HashMap<(&str, &str), Option<Timestamp>> = HashMap::new();
    for change in changes {
        match change {
            DeadlineChange::Set(Deadline { process, name, due }) => {
                last.insert((process.as_str(), name), Some(*due));
            }
            DeadlineChange::Cancel { process, name } => {
                last.insert((process.as_str(), name), None);
            }
        }
    }
    let (mut set, mut gone) = (Vec::new(), Vec::new());
    for ((process, name), due) in last {
        match due {
            Some(due) => set.push((process, name, Instant(due))),
            None => gone.push((process, name)),
        }
    }
    if !gone.is_empty() {
        // One order for all, so that two units that meet wait for, but do not block, each other.
        gone.sort_unstable();
        let (processes, names): (Vec<&str>, Vec<&str>) = gone.into_iter().unzip();
        let cancel = database.statements.deadline_cancel().bind(&processes).bind(&names);
        cancel.execute(&mut *connection).await?;
    }
    if !set.is_empty() {
        set.sort_unstable_by_key(|(process, name, _)| (*process, *name));
        let categories: Vec<StreamId> =
            set.iter().map(|(process, ..)| StreamId::from_name(*process)).collect();
        let categories: Vec<&str> = categories.iter().map(StreamId::category).collect();
        let processes: Vec<&str> = set.iter().map(|(process, ..)| *process).collect();
        let names: Vec<&str> = set.iter().map(|(_, name, _)| *name).collect();
        let due: Vec<Instant> = set.into_iter().map(|(_, _, due)| due).collect();
        let set = database
            .statements
            .deadline_set()
            .bind(&categories)
            .bind(&processes)
            .bind(&names)
            .bind(&due);
        set.execute(&mut *connection).await?;
    }
    Ok(())
}

fn unwritable(error: serde_json::Error) -> Failure {
    let message = "append: the metadata cannot be written as JSON";
    Failure::Failed(StoreError::invalid(message).with_source(error))
}
