//! Rows that are read: those that a batch of a projection touches, and those that queries ask for.

use std::collections::{BTreeMap, HashSet};

use annals::StoreError;
use annals::read_model::{
    Comparison, Is, ModelTable, Row, RowKey, Select, Table, TableColumn, Test, Value,
};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::bind::Statement;
use super::names::{self, in_schema, quoted};
use super::row;
use super::select::{is_kept, push_after, push_in, push_order, push_test, push_where};
use crate::append::{bounded, unsigned};
use crate::database::Database;
use crate::error::{is_missing, of_rows, store_error};

/// Reads the rows that have one of the keys, or pass one of the tests, in one statement.
pub(crate) async fn rows(
    database: &Database,
    table: &ModelTable,
    keys: &[RowKey],
    tests: &[Test],
) -> Result<Vec<Row>, StoreError> {
    let doing = format!("read rows of `{table}`");
    // What holds a value that PostgreSQL does not keep is the key of no row.
    let keys: HashSet<&RowKey> = keys.iter().filter(|key| key.0.iter().all(is_kept)).collect();
    if keys.is_empty() && tests.is_empty() {
        return Ok(Vec::new());
    }
    let name = in_schema(&database.schema, &names::physical(table));
    let mut statement = Statement::default();
    statement.push(&format!("SELECT {}\n  FROM {name} AS t\n WHERE ", row::columns(table.table)));
    let keys: Vec<&RowKey> = keys.into_iter().collect();
    if tests.is_empty() {
        push_keys(&mut statement, table.table, &keys)?;
    } else {
        push_places(&mut statement, &name, table.table, &keys, tests)?;
    }
    // Whose generation is gone learns it when it writes.
    let rows = fetch(database, &doing, &statement).await?.unwrap_or_default();
    rows.iter().map(|found| row::read(&doing, table.table, found)).collect()
}

/// Adds the condition that a row has one of the keys.
pub(super) fn push_keys<'a>(
    statement: &mut Statement<'a>,
    table: &Table,
    keys: &[&'a RowKey],
) -> Result<(), StoreError> {
    if let [column] = table.key {
        return push_in(statement, &table.columns[*column], keys.iter().map(|key| &key.0[0]));
    }
    let columns: Vec<&TableColumn> = table.key_columns().collect();
    let names: Vec<String> =
        columns.iter().map(|column| format!("t.{}", quoted(column.name))).collect();
    statement.push(&format!("({}) IN (SELECT * FROM unnest(", names.join(", ")));
    for (index, column) in columns.iter().enumerate() {
        statement.push(if index == 0 { "" } else { ", " });
        statement.push_values(column, keys.iter().map(|key| &key.0[index]))?;
    }
    statement.push("))");
    Ok(())
}

/// Adds the condition that a row is at one of the places where those are that are looked for.
///
/// Each way to find rows has its own index, and a row is found once however many ways lead to it.
fn push_places<'a>(
    statement: &mut Statement<'a>,
    name: &str,
    table: &Table,
    keys: &[&'a RowKey],
    tests: &'a [Test],
) -> Result<(), StoreError> {
    let find = format!("SELECT t.ctid FROM {name} AS t WHERE ");
    let mut parts = 0;
    let mut begin = |statement: &mut Statement<'a>| {
        statement.push(if parts == 0 { "" } else { "\n       UNION\n       " }).push(&find);
        parts += 1;
    };
    statement.push("t.ctid = ANY (ARRAY(\n       ");
    if !keys.is_empty() {
        begin(statement);
        push_keys(statement, table, keys)?;
    }
    // All values that are looked for in a column go together, so that the text does not depend on how many there are.
    let mut equal: BTreeMap<usize, Vec<&'a Value>> = BTreeMap::new();
    for test in tests {
        match &test.is {
            Is::Compared(Comparison::Equal, value) => {
                equal.entry(test.column).or_default().push(value);
            }
            Is::In(values) => equal.entry(test.column).or_default().extend(values),
            _ => {
                begin(statement);
                push_test(statement, table, test)?;
            }
        }
    }
    for (column, values) in &equal {
        begin(statement);
        push_in(statement, &table.columns[*column], values.iter().copied())?;
    }
    statement.push("\n ))");
    Ok(())
}

/// Reads rows of the generation that answers; `None` if there is none.
pub(crate) async fn select(
    database: &Database,
    table: &'static Table,
    version: u32,
    select: &Select,
) -> Result<Option<Vec<Row>>, StoreError> {
    let view = in_schema(&database.schema, &names::version_view(table.name, version));
    select_in(database, (&view, table), select).await
}

/// Reads rows of a relation; `None` if there is none.
pub(super) async fn select_in(
    database: &Database,
    (relation, table): (&str, &'static Table),
    select: &Select,
) -> Result<Option<Vec<Row>>, StoreError> {
    let doing = format!("read rows of `{}`", table.name);
    let mut statement = Statement::default();
    selecting(&mut statement, (relation, table), select)?;
    let rows = fetch(database, &doing, &statement).await?;
    rows.map(|rows| rows.iter().map(|found| row::read(&doing, table, found)).collect()).transpose()
}

/// Writes the statement that reads rows of a relation.
pub(super) fn selecting<'a>(
    statement: &mut Statement<'a>,
    (relation, table): (&str, &'static Table),
    select: &'a Select,
) -> Result<(), StoreError> {
    statement.push(&format!("SELECT {}\n  FROM {relation} AS t", row::columns(table)));
    push_where(statement, table, &select.tests)?;
    push_after(statement, table, select)?;
    push_order(statement, table, &select.order);
    if let Some(limit) = select.limit {
        statement.push("\n LIMIT ").push_number(bounded(limit));
    }
    Ok(())
}

/// Counts rows of the generation that answers; `None` if there is none.
pub(crate) async fn count(
    database: &Database,
    table: &'static Table,
    version: u32,
    tests: &[Test],
) -> Result<Option<u64>, StoreError> {
    let view = in_schema(&database.schema, &names::version_view(table.name, version));
    count_in(database, (&view, table), tests).await
}

/// Counts rows of a relation; `None` if there is none.
pub(super) async fn count_in(
    database: &Database,
    (relation, table): (&str, &'static Table),
    tests: &[Test],
) -> Result<Option<u64>, StoreError> {
    let doing = format!("count rows of `{}`", table.name);
    let mut statement = Statement::default();
    statement.push(&format!("SELECT count(*)\n  FROM {relation} AS t"));
    push_where(&mut statement, table, tests)?;
    let Some(rows) = fetch(database, &doing, &statement).await? else { return Ok(None) };
    let row = rows.first().ok_or_else(|| store_error(&doing, sqlx::Error::RowNotFound))?;
    let count: i64 = row.try_get(0).map_err(|error| store_error(&doing, error))?;
    Ok(Some(unsigned(count)))
}

/// The rows of a statement; `None` if what it reads is not there.
async fn fetch(
    database: &Database,
    doing: &str,
    statement: &Statement<'_>,
) -> Result<Option<Vec<PgRow>>, StoreError> {
    match database.fetch_all(doing, || statement.query(&database.statements)).await {
        Ok(rows) => Ok(Some(rows)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(of_rows(doing, error)),
    }
}
