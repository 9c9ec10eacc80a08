//! Scratch tables: rows that are not to be kept, in tables that no crash recovery brings back.
//!
//! They are unlogged, so that after a crash of the server they are empty, and their readers' checkpoints are not. Each has a mark
//! beside it, a row in an unlogged table of its own: where that is gone, rows may be, too.

use annals::projection::ModelDefinition;
use annals::read_model::{ModelTable, Row, Select, Test};
use annals::{CheckpointId, StoreError};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _, SqlSafeStr};

use super::attempt::{Attempts, Trouble, of_store};
use super::change::narrow;
use super::layout;
use super::names::{self, in_schema};
use super::read::{count_in, select_in};
use crate::database::Database;
use crate::error::{is_missing, store_error};

/// Makes a scratch table, empty.
pub(crate) async fn begin_scratch(
    database: &Database,
    definition: &ModelDefinition,
    generation: u32,
) -> Result<(), StoreError> {
    let table = definition.table_of(generation).ok_or_else(|| definition.not_folded_aside())?;
    names::check(table.table)?;
    let sql = format!(
        "{}{}CREATE UNLOGGED TABLE {mark} AS SELECT true AS is_whole;\nCOMMENT ON TABLE {name} IS {of};\n",
        drop_sql(database, generation),
        layout::create(&database.schema, &table)?,
        mark = mark(database, generation),
        name = in_schema(&database.schema, &names::physical(&table)),
        of = names::text(&format!(
            "rows of projection {} that annals tries out",
            definition.projection
        )),
    );
    let doing = format!("make a scratch table for projection `{}`", definition.projection);
    let mut attempts = Attempts::new(database, doing);
    loop {
        match begin_once(&mut attempts, &sql).await {
            Ok(()) => return Ok(()),
            Err(trouble) => attempts.again(trouble).await.map_err(of_store)?,
        }
    }
}

async fn begin_once(attempts: &mut Attempts<'_>, sql: &str) -> Result<(), Trouble> {
    let mut transaction = attempts.begin().await?;
    run(attempts, &mut transaction, sql).await?;
    attempts.commit(transaction).await
}

/// Reads rows of a scratch table; `None` if some may be gone.
pub(crate) async fn select_scratch(
    database: &Database,
    table: &ModelTable,
    select: &Select,
) -> Result<Option<Vec<Row>>, StoreError> {
    let name = in_schema(&database.schema, &names::physical(table));
    let rows = select_in(database, (&name, table.table), select).await?;
    // Only now: what was read before the mark is looked for was read before it could go.
    if is_whole(database, table.generation).await? { Ok(rows) } else { Ok(None) }
}

/// Counts rows of a scratch table; `None` if some may be gone.
pub(crate) async fn count_scratch(
    database: &Database,
    table: &ModelTable,
    tests: &[Test],
) -> Result<Option<u64>, StoreError> {
    let name = in_schema(&database.schema, &names::physical(table));
    let count = count_in(database, (&name, table.table), tests).await?;
    if is_whole(database, table.generation).await? { Ok(count) } else { Ok(None) }
}

async fn is_whole(database: &Database, generation: u32) -> Result<bool, StoreError> {
    let doing = "look for a scratch table";
    let sql = format!("SELECT EXISTS (SELECT FROM {})", mark(database, generation));
    // The name in it is quoted.
    let sql = AssertSqlSafe(sql).into_sql_str();
    let found = database.fetch_one(doing, || database.statements.written(sql.clone())).await;
    match found {
        Ok(row) => row.try_get(0).map_err(|error| store_error(doing, error)),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Drops a scratch table and its reader.
pub(crate) async fn drop_scratch(
    database: &Database,
    definition: &ModelDefinition,
    generation: u32,
) -> Result<(), StoreError> {
    let reader = definition.reader(generation);
    forget(database, &reader, generation, Whose::Ours).await.map(drop)
}

/// Drops the scratch tables whose leases nobody holds.
pub(crate) async fn drop_left_scratch(database: &Database) -> Result<u64, StoreError> {
    let doing = "look for scratch tables that were left";
    let query = || database.statements.scratch_left().bind(CheckpointId::SCRATCH);
    let rows = database.fetch_all(doing, query).await?;
    let mut gone = 0;
    for row in &rows {
        let read = |error| store_error(doing, error);
        let name: String = row.try_get(0).map_err(read)?;
        let version = narrow(row.try_get(1).map_err(read)?);
        let reader = CheckpointId { name, version, shard: 0 };
        let Some(generation) = reader.scratch_generation() else { continue };
        match forget(database, &reader, generation, Whose::Nobodys).await {
            Ok(is_gone) => gone += u64::from(is_gone),
            Err(error) if error.is_unavailable() => return Err(error),
            // Another role may have made it: that one drops it.
            Err(error) => {
                tracing::warn!(%error, reader = reader.name, "a scratch table that was left stays");
            }
        }
    }
    Ok(gone)
}

/// Whose a scratch table is that is dropped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Ours,
    /// It stays if somebody holds its lease.
    Nobodys,
}

/// Drops a scratch table with its reader, and tells whether it was its turn.
async fn forget(
    database: &Database,
    reader: &CheckpointId,
    generation: u32,
    whose: Whose,
) -> Result<bool, StoreError> {
    let mut attempts = Attempts::new(database, format!("drop what `{}` has folded", reader.name));
    loop {
        match forget_once(&mut attempts, database, (reader, generation), whose).await {
            Ok(is_gone) => return Ok(is_gone),
            Err(trouble) => attempts.again(trouble).await.map_err(of_store)?,
        }
    }
}

async fn forget_once(
    attempts: &mut Attempts<'_>,
    database: &Database,
    (reader, generation): (&CheckpointId, u32),
    whose: Whose,
) -> Result<bool, Trouble> {
    let was_lost = attempts.is_lost;
    let mut transaction = attempts.begin().await?;
    let failed = |error| attempts.failed(error);
    let statements = &database.statements;
    let (name, version) = (&reader.name, i64::from(reader.version));
    let forgetting = statements.scratch_forget().bind(name).bind(version);
    let forgetting = forgetting.bind(whose == Whose::Nobodys);
    let forgotten = forgetting.execute(&mut *transaction).await.map_err(failed)?;
    if whose == Whose::Nobodys && forgotten.rows_affected() == 0 {
        return Ok(was_lost);
    }
    let parked = statements.models_forget_parked().bind(name).bind(version);
    parked.execute(&mut *transaction).await.map_err(failed)?;
    run(attempts, &mut transaction, &drop_sql(database, generation)).await?;
    attempts.commit(transaction).await?;
    Ok(true)
}

async fn run(
    attempts: &Attempts<'_>,
    connection: &mut PgConnection,
    sql: &str,
) -> Result<(), Trouble> {
    // All names and texts in it are quoted, and there are no values.
    let run = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await;
    run.map(drop).map_err(|error| attempts.failed(error))
}

fn drop_sql(database: &Database, generation: u32) -> String {
    let name = in_schema(&database.schema, &ModelTable::name_of_scratch(generation));
    format!("DROP TABLE IF EXISTS {name}, {};\n", mark(database, generation))
}

/// The table that tells whether the rows of a scratch table are whole.
fn mark(database: &Database, generation: u32) -> String {
    in_schema(&database.schema, &format!("{}_whole", ModelTable::name_of_scratch(generation)))
}
