//! Readers that are divided into shards: where each is, and how their number changes in one transaction.

use annals::shards::{Division, Layout, Standing};
use annals::{CheckpointId, Fence, Position, StoreError, WriteError};
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use super::attempt::{Attempts, Trouble};
use super::change::{check_fence, narrow};
use crate::append::{bounded, unsigned};
use crate::database::Database;
use crate::error::store_error;

/// Tells how a reader is divided, and where its shards are.
pub(crate) async fn standing(
    database: &Database,
    reader: &CheckpointId,
) -> Result<Standing, StoreError> {
    let doing = "read where a reader's shards are";
    let query = || {
        let standing = database.statements.shards_standing();
        standing.bind(&reader.name).bind(i64::from(reader.version))
    };
    let rows = database.fetch_all(doing, query).await?;
    let (standing, _) = read(&rows).map_err(|error| store_error(doing, error))?;
    Ok(standing)
}

/// The same within a transaction, and whether a number was ever said.
pub(super) async fn standing_in(
    attempts: &Attempts<'_>,
    database: &Database,
    connection: &mut PgConnection,
    reader: &CheckpointId,
) -> Result<(Standing, bool), Trouble> {
    let read = found(database, connection, reader).await;
    read.map_err(|error| attempts.failed(error))
}

/// The same in what sees the store at one instant.
pub(super) async fn read_in(
    database: &Database,
    connection: &mut PgConnection,
    reader: &CheckpointId,
) -> Result<Standing, sqlx::Error> {
    Ok(found(database, connection, reader).await?.0)
}

async fn found(
    database: &Database,
    connection: &mut PgConnection,
    reader: &CheckpointId,
) -> Result<(Standing, bool), sqlx::Error> {
    let query = database.statements.shards_standing();
    let query = query.bind(&reader.name).bind(i64::from(reader.version));
    read(&query.fetch_all(connection).await?)
}

fn read(rows: &[PgRow]) -> Result<(Standing, bool), sqlx::Error> {
    let Some(first) = rows.first() else {
        return Ok((Standing::new(Layout::default(), Vec::new()), false));
    };
    let of: Option<i64> = first.try_get("of")?;
    let layout = match of {
        Some(of) => Layout::read(narrow(of), first.try_get("floors")?),
        None => Ok(Layout::default()),
    };
    let layout = layout.map_err(|error| sqlx::Error::Decode(error.into()))?;
    let mut reached = vec![None; layout.shards as usize];
    for row in rows {
        let shard: Option<i64> = row.try_get("shard")?;
        let place = shard.and_then(|shard| reached.get_mut(narrow(shard) as usize));
        if let Some(place) = place {
            *place = Some(Position::from(unsigned(row.try_get("position")?)));
        }
    }
    Ok((Standing::new(layout, reached), of.is_some()))
}

/// Divides a reader, if these leases are held still.
pub(crate) async fn divide(
    database: &Database,
    reader: &CheckpointId,
    division: Division,
    leases: &[Fence],
) -> Result<Standing, WriteError> {
    division.shards()?;
    let doing = format!("divide `{}` into shards", reader.name);
    let mut attempts = Attempts::new(database, doing);
    loop {
        match divide_once(&mut attempts, database, reader, (division, leases)).await {
            Ok(standing) => return Ok(standing),
            // Done already by a try whose answer was lost, it is not done again.
            Err(trouble) => attempts.again(trouble).await?,
        }
    }
}

async fn divide_once(
    attempts: &mut Attempts<'_>,
    database: &Database,
    reader: &CheckpointId,
    (division, leases): (Division, &[Fence]),
) -> Result<Standing, Trouble> {
    let into = division.shards()?;
    let mut transaction = attempts.begin().await?;
    let connection = &mut *transaction;
    // Nobody else changes it until this transaction ends.
    let (standing, is_said) = standing_in(attempts, database, connection, reader).await?;
    if is_said && (matches!(division, Division::AtFirst(_)) || standing.layout.shards == into) {
        return Ok(standing);
    }
    for lease in leases {
        check_fence(attempts, database, connection, lease).await?;
    }
    let standing = if standing.layout.shards == into {
        keep(attempts, database, connection, (reader, &standing.layout)).await?;
        standing
    } else {
        divide_in(attempts, database, connection, (reader, &standing.layout, into)).await?
    };
    attempts.commit(transaction).await?;
    Ok(standing)
}

/// Divides a reader within a transaction in which nobody else does.
pub(super) async fn divide_in(
    attempts: &Attempts<'_>,
    database: &Database,
    connection: &mut PgConnection,
    (reader, layout, into): (&CheckpointId, &Layout, u32),
) -> Result<Standing, Trouble> {
    let failed = |error| attempts.failed(error);
    let statements = &database.statements;
    let of_reader = (&reader.name, i64::from(reader.version));
    let fence = statements.shards_fence().bind(of_reader.0).bind(of_reader.1);
    let fence = fence.bind(i64::from(layout.shards.max(into)));
    // Only now: who had a lease may have written until it was given up.
    let fenced = fence.fetch_all(&mut *connection).await.map_err(failed)?;
    let mut reached = vec![None; layout.shards as usize];
    for row in &fenced {
        let shard = narrow(row.try_get("shard").map_err(failed)?) as usize;
        let position: Option<i64> = row.try_get("position").map_err(failed)?;
        if let Some(place) = reached.get_mut(shard) {
            *place = position.map(|position| Position::from(unsigned(position)));
        }
    }
    let (next, checkpoints) = layout.divided(&reached, into);
    let shards: Vec<i64> = (0..i64::from(layout.shards.max(into))).collect();
    let position = |shard: &i64| {
        let at = checkpoints.get(usize::try_from(*shard).unwrap_or(usize::MAX));
        at.copied().flatten().map(|at| bounded(at.get()))
    };
    let positions: Vec<Option<i64>> = shards.iter().map(position).collect();
    let moving = statements.shards_move().bind(of_reader.0).bind(of_reader.1);
    let moving = moving.bind(shards).bind(positions);
    moving.execute(&mut *connection).await.map_err(failed)?;
    keep(attempts, database, connection, (reader, &next)).await?;
    Ok(Standing::new(next, checkpoints))
}

/// Keeps a layout.
pub(super) async fn keep(
    attempts: &Attempts<'_>,
    database: &Database,
    connection: &mut PgConnection,
    (reader, layout): (&CheckpointId, &Layout),
) -> Result<(), Trouble> {
    let keeping = database.statements.shards_keep().bind(&reader.name);
    let keeping = keeping.bind(i64::from(reader.version)).bind(i64::from(layout.shards));
    let kept = keeping.bind(layout.kept_floors()).execute(connection).await;
    kept.map(drop).map_err(|error| attempts.failed(error))
}
