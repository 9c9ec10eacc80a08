//! The unit of work that the rules commit, and what is there of it.

use std::sync::Arc;
use std::time::Duration;

use annals::projection::ModelDefinition;
use annals::read_model::{
    ColumnKind, ModelTable, Row, RowKey, Select, Table, TableColumn, Value as Cell,
};
use annals::{
    CheckpointChange, CheckpointId, Deadline, DeadlineChange, Expected, Fence, Metadata,
    OutgoingCommand, Payload, Position, ReadModelStore, RowChange, StoreError, Timestamp,
    UnitOfWork, UnitOfWorkStore, WriteError,
};
use serde_json::{Value, json};

use super::broken::{Found, Verdict, ensure_eq};
use super::material::{CATEGORY, append, claim, ensure_numbers, stream};

const COLUMNS: &[TableColumn] = &[
    TableColumn::new("key", ColumnKind::Text, false),
    TableColumn::new("says", ColumnKind::Json, false),
];
const ONE_MORE: &[TableColumn] = &[
    TableColumn::new("key", ColumnKind::Text, false),
    TableColumn::new("says", ColumnKind::Json, false),
    TableColumn::new("note", ColumnKind::Text, true),
];
/// The table of [`ROWS`] as a newer release has it.
pub(crate) const WIDE: Table = Table::new("conformance_rows", ONE_MORE, &[0]);
pub(crate) const ROWS: ModelTable = model(&Table::new("conformance_rows", COLUMNS, &[0]));
pub(crate) const OTHERS: ModelTable = model(&Table::new("conformance_others", COLUMNS, &[0]));

pub(crate) const DUE: Timestamp = Timestamp::from_micros(1_772_366_400_000_000);

pub(crate) fn reader(name: &str) -> CheckpointId {
    CheckpointId { name: format!("conformance {name}"), version: 1, shard: 0 }
}

const fn model(table: &'static Table) -> ModelTable {
    ModelTable { table, version: 1, generation: 1 }
}

/// Makes the tables.
pub(crate) async fn prepare(store: &impl ReadModelStore) -> Result<(), StoreError> {
    for ModelTable { table, version, .. } in [ROWS, OTHERS] {
        let definition = ModelDefinition::new(table.name, version, Some(table), Vec::new());
        store.prepare(&definition).await?;
    }
    Ok(())
}

pub(crate) fn upsert(key: &str, says: &Value) -> RowChange {
    RowChange::Upsert { table: ROWS, row: row(key, says) }
}

pub(crate) fn row(key: &str, says: &Value) -> Row {
    Row(vec![Cell::Text(key.to_owned()), Cell::Json(Payload::new(says.to_string()))])
}

pub(crate) fn delete(name: &str) -> RowChange {
    RowChange::Delete { table: ROWS, key: key(name) }
}

pub(crate) fn key(name: &str) -> RowKey {
    RowKey(vec![Cell::Text(name.to_owned())])
}

pub(crate) fn key_of(row: &Row) -> String {
    ROWS.table.key_of(row).to_string()
}

pub(crate) async fn selected(
    store: &impl ReadModelStore,
    select: &Select,
) -> Result<Vec<Row>, Found> {
    let rows = store.select(ROWS.table, ROWS.version, select).await?;
    rows.ok_or_else(|| Found("there is no table, though it was prepared".to_owned()))
}

/// What a row says; `None` if it is not there.
pub(crate) async fn row_says(
    store: &impl ReadModelStore,
    name: &str,
) -> Result<Option<Value>, Found> {
    let row = store.rows(&ROWS, &[key(name)], &[]).await?.pop();
    let says = row.map(|mut row| match row.0.pop() {
        Some(Cell::Json(says)) => serde_json::from_str(says.as_str()).map_err(Found::from),
        other => Err(Found(format!("a column of JSON holds {other:?}"))),
    });
    says.transpose()
}

/// Ends the rule unless a write was refused since its lease is not in force.
pub(crate) fn ensure_fenced<T: std::fmt::Debug>(
    answer: Result<T, WriteError>,
    fence: &Fence,
) -> Verdict {
    match answer {
        Err(WriteError::Fenced { held, .. }) if held == fence.epoch => Ok(()),
        other => {
            Err(Found(format!("a write under epoch {} was answered with {other:?}", fence.epoch)))
        }
    }
}

pub(crate) async fn leased(store: &impl ReadModelStore) -> Result<Fence, Found> {
    prepare(store).await?;
    let fence = store.claim_lease(&reader("unit"), "owner", Duration::from_hours(1)).await?;
    fence.ok_or_else(|| Found("nobody holds the lease, and it cannot be claimed".to_owned()))
}

pub(crate) fn command(number: u64) -> OutgoingCommand {
    OutgoingCommand {
        process: stream("p"),
        key: format!("command-{number}"),
        command: "ConformanceCount".to_owned(),
        data: Payload::new(json!({ "number": number }).to_string()),
        metadata: Arc::new(Metadata::default().with_user("process").with_header("é", "🦀")),
    }
}

/// The unit of work of this number, which has one part of each kind.
pub(crate) fn unit(fence: &Fence, number: u64) -> UnitOfWork {
    let deadline = Deadline { process: stream("p"), name: format!("deadline-{number}"), due: DUE };
    UnitOfWork::new()
        .append(append(&stream("a"), Expected::at(number - 1), [number]))
        .append(
            append(&stream("b"), Expected::Any, [number]).with_key(claim(&format!("key-{number}"))),
        )
        .row(upsert("shared", &json!(number)))
        .row(upsert(&format!("row-{number}"), &json!(number)))
        .row(delete(&format!("row-{}", number - 1)))
        .checkpoint(CheckpointChange { fence: fence.clone(), position: Position::from(number) })
        .outgoing(command(number))
        .deadline(DeadlineChange::Set(deadline))
}

/// Ends the rule unless just the units up to this number are done.
pub(crate) async fn ensure_done<S: UnitOfWorkStore>(
    store: &S,
    fence: &Fence,
    number: u64,
) -> Verdict {
    ensure_numbers(store, &stream("a"), 1..=number).await?;
    ensure_numbers(store, &stream("b"), 1..=number).await?;
    let checkpoint = store.checkpoint(&fence.id).await?;
    ensure_eq!(checkpoint, Some(Position::from(number)), "the checkpoint");
    let rows = selected(store, &Select::all(ROWS.table)).await?;
    let keys: Vec<String> = rows.iter().map(key_of).collect();
    ensure_eq!(keys, [format!("row-{number}"), "shared".to_owned()], "the keys of the rows");
    ensure_eq!(row_says(store, "shared").await?, Some(json!(number)), "the row that all write");
    let names =
        |what: &str| (1..=number).map(|number| format!("{what}-{number}")).collect::<Vec<_>>();
    ensure_eq!(outgoing(store).await?, names("command"), "the commands that wait");
    ensure_eq!(due(store).await?, names("deadline"), "the deadlines");
    Ok(())
}

pub(crate) async fn outgoing(store: &impl UnitOfWorkStore) -> Result<Vec<String>, Found> {
    let waiting = store.outgoing(CATEGORY, 0, 100).await?;
    Ok(waiting.into_iter().map(|waiting| waiting.command.key).collect())
}

pub(crate) async fn due(store: &impl UnitOfWorkStore) -> Result<Vec<String>, Found> {
    let due = store.due_deadlines(CATEGORY, DUE, None, 100).await?;
    Ok(due.into_iter().map(|deadline| deadline.name).collect())
}
