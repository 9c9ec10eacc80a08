//! All rows of a projection and up to where its readers had come, at one instant.
//!
//! They are read over a connection of their own, in one transaction: whoever reads them may need the pool's meanwhile.

use std::sync::Arc;

use annals::StoreError;
use annals::projection::{ModelDefinition, RowsAtOnce};
use annals::read_model::{ModelTable, Row, Select};
use annals::shards::Standing;
use async_trait::async_trait;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};
use tokio::time::timeout;

use super::bind::Statement;
use super::change::narrow;
use super::names::{self, in_schema};
use super::read::selecting;
use super::{row, sharded};
use crate::database::Database;
use crate::error::{is_missing, of_rows, rows_error, store_error};

/// How often the rows are looked for, when they are rebuilt each time meanwhile.
const TRIES: usize = 5;

/// Sees what was there when its first statement began, whatever is written meanwhile.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// All rows of a projection, as its transaction sees them.
struct Seen {
    database: Arc<Database>,
    /// Closed with its transaction when it is dropped.
    connection: PgConnection,
    doing: String,
    table: ModelTable,
    standing: Standing,
    /// What is read next; nothing once all were read.
    next: Option<Select>,
}

/// Begins to read all rows that answer, with the checkpoint that was written with them.
pub(crate) async fn rows_at_once(
    database: &Arc<Database>,
    definition: &ModelDefinition,
) -> Result<Box<dyn RowsAtOnce>, StoreError> {
    let mut tries = TRIES;
    loop {
        match begin(database, definition).await {
            // The table went with a rebuild between one statement and the next.
            Err(error) if is_missing(&error) && tries > 0 => tries -= 1,
            begun => return Ok(Box::new(begun?)),
        }
    }
}

async fn begin(database: &Arc<Database>, definition: &ModelDefinition) -> Result<Seen, StoreError> {
    let doing = format!("read all rows of `{}`", definition.projection);
    let mut connection = database.connect(&doing).await?;
    let begun = async {
        sqlx::raw_sql(BEGIN).execute(&mut connection).await?;
        let entry = database.statements.models_entry();
        let entry = entry.bind(&definition.projection).bind(i64::from(definition.version));
        let Some(entry) = entry.fetch_optional(&mut connection).await? else { return Ok(None) };
        let generation = narrow(entry.try_get("generation")?);
        let reader = definition.reader(generation);
        let standing = sharded::read_in(database, &mut connection, &reader).await?;
        let table = definition.table_of(generation);
        let mut locked = Ok(());
        if let Some(table) = &table {
            // From here on no rebuild drops it.
            let name = in_schema(&database.schema, &names::physical(table));
            let lock = AssertSqlSafe(format!("LOCK TABLE {name} IN ACCESS SHARE MODE"));
            locked = sqlx::raw_sql(lock).execute(&mut connection).await.map(drop);
        }
        Ok(Some((table, standing, locked)))
    };
    let begun = heard(database, &doing, begun).await?;
    let (table, standing, locked) = begun.ok_or_else(|| definition.not_prepared())?;
    locked.map_err(|error| rows_error(&doing, error))?;
    let table = table.ok_or_else(|| definition.not_folded_aside())?;
    let next = Some(Select::all(table.table));
    Ok(Seen { database: database.clone(), connection, doing, table, standing, next })
}

#[async_trait]
impl RowsAtOnce for Seen {
    fn standing(&self) -> &Standing {
        &self.standing
    }

    async fn next_page(&mut self, limit: usize) -> Result<Vec<Row>, StoreError> {
        let Some(select) = self.next.take() else { return Ok(Vec::new()) };
        let Self { database, connection, doing, table, .. } = self;
        let name = in_schema(&database.schema, &names::physical(table));
        let select = select.limit(limit as u64);
        let mut statement = Statement::default();
        selecting(&mut statement, (&name, table.table), &select)?;
        let query = statement.query(&database.statements).fetch_all(connection);
        let rows = heard(database, doing, query).await;
        let rows = rows.map_err(|error| of_rows(doing, error))?;
        let rows: Result<Vec<Row>, _> =
            rows.iter().map(|found| row::read(doing, table.table, found)).collect();
        let rows = rows?;
        self.next = rows.last().map(|last| Select::all(self.table.table).after(last));
        Ok(rows)
    }
}

/// Waits for what is read, but not for ever.
async fn heard<T>(
    database: &Database,
    doing: &str,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match timeout(database.silence, answer).await {
        Ok(answer) => answer.map_err(|error| store_error(doing, error)),
        Err(_) => Err(database.silent(doing)),
    }
}
