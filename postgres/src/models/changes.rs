//! All changes of a batch as one statement.

use std::collections::BTreeMap;

use annals::projection::ParkedEvent;
use annals::read_model::{ColumnKind, ModelTable, Row, RowKey, TableColumn};
use annals::{CheckpointChange, CheckpointId, Fence, Position, RowChange, StoreError, WriteError};
use sqlx::postgres::PgDatabaseError;

use super::bind::{Statement, unknown_kind};
use super::names::{self, in_schema, quoted};
use super::parked::{escaped, readable};
use super::read::push_keys;
use super::select::is_kept;
use crate::append::bounded;
use crate::checkpoint::Move;
use crate::database::Database;
use crate::error::in_database;
use crate::instant::Instant;
use crate::statements::Schema;

const CHECKPOINT_MOVE: &str = include_str!("../../sql/checkpoint_move.sql");
const CHECKPOINT_MOVE_AFTER: &str = include_str!("../../sql/checkpoint_move_after.sql");

/// What becomes of rows and parked events, sorted: writers that meet lock in one order.
#[derive(Default)]
pub(super) struct Changes<'a> {
    tables: BTreeMap<String, TableChanges<'a>>,
    parked: BTreeMap<(&'a CheckpointId, Position, &'a str), Option<&'a ParkedEvent>>,
}

struct TableChanges<'a> {
    table: &'a ModelTable,
    /// The last change of a row is what counts.
    rows: BTreeMap<RowKey, Fate<'a>>,
}

enum Fate<'a> {
    Put(&'a Row),
    Gone(&'a RowKey),
}

impl<'a> Changes<'a> {
    pub(super) fn of(changes: &'a [RowChange]) -> Result<Self, StoreError> {
        let mut sorted = Self::default();
        for change in changes {
            match change {
                RowChange::Upsert { table, row } => {
                    sorted.table(table).rows.insert(table.table.key_of(row), Fate::Put(row));
                }
                RowChange::Delete { table, key } => {
                    sorted.table(table).rows.insert(key.clone(), Fate::Gone(key));
                }
                RowChange::Park(event) => {
                    let place = (&event.reader, event.position, &*event.key);
                    sorted.parked.insert(place, Some(event));
                }
                RowChange::Unpark { reader, key, position } => {
                    sorted.parked.insert((reader, *position, key), None);
                }
                _ => return Err(StoreError::invalid("write rows: a change of an unknown kind")),
            }
        }
        Ok(sorted)
    }

    fn table(&mut self, table: &'a ModelTable) -> &mut TableChanges<'a> {
        let name = names::physical(table);
        self.tables.entry(name).or_insert_with(|| TableChanges { table, rows: BTreeMap::new() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.parked.is_empty()
    }

    /// One statement that does all of it, under a lease if it is given one.
    pub(super) fn statement(
        &self,
        database: &Database,
        checkpoint: Option<&Move<'a>>,
    ) -> Result<Statement<'a>, WriteError> {
        let mut statement = Statement::default();
        let mut parts = Parts { is_first: true, is_fenced: checkpoint.is_some() };
        if let Some(Move { change, unit, is_after_others, .. }) = checkpoint {
            let CheckpointChange { fence: Fence { id, epoch }, position } = change;
            // The places of what is bound are those in the statement's file.
            statement
                .bind_text(&id.name)
                .bind_number(id.version.into())
                .bind_number(id.shard.into())
                .bind_number(bounded(*epoch))
                .bind_number(bounded(position.get()))
                .bind_uuid(*unit);
            parts.begin(&mut statement, "moved");
            statement.push(&database.schema.fill(CHECKPOINT_MOVE));
            if *is_after_others {
                statement.push("\n");
                statement.push(CHECKPOINT_MOVE_AFTER);
            }
            statement.push("\nRETURNING c.position)");
        }
        for (number, (name, changes)) in self.tables.iter().enumerate() {
            let name = in_schema(&database.schema, name);
            let pushed = changes.push(&mut statement, &mut parts, number, &name);
            pushed.map_err(|source| changes.refused(source))?;
        }
        self.push_parked(&mut statement, &mut parts, &database.schema);
        let answer = if parts.is_fenced { "count(*) FROM moved" } else { "1::bigint" };
        statement.push(&format!("\nSELECT {answer}"));
        Ok(statement)
    }

    fn push_parked(&self, statement: &mut Statement<'a>, parts: &mut Parts, schema: &Schema) {
        let name = in_schema(schema, "parked");
        let gone: Vec<_> = self
            .parked
            .iter()
            .filter(|(_, event)| event.is_none())
            .map(|(place, _)| *place)
            .collect();
        if !gone.is_empty() {
            parts.begin(statement, "unparked");
            statement.push(&format!("DELETE FROM {name} AS p USING unnest("));
            push_places(statement, &gone);
            statement.push(
                ") AS old (name, version, shard, position, key)\n WHERE p.name = old.name AND p.version = old.version \
                 AND p.shard = old.shard AND p.position = old.position \
                 AND p.key_hash = sha256(convert_to(old.key, 'UTF8'))",
            );
            parts.condition(statement, "  AND", None);
            statement.push(")");
        }
        let (places, events): (Vec<_>, Vec<&ParkedEvent>) =
            self.parked.iter().filter_map(|(place, event)| Some((*place, (*event)?))).unzip();
        if events.is_empty() {
            return;
        }
        let texts =
            |text: fn(&ParkedEvent) -> String| events.iter().map(|event| text(event)).collect();
        parts.begin(statement, "parked");
        statement.push(&format!(
            "INSERT INTO {name} AS p\n       (name, version, shard, position, key, stream_id, event_type, error, attempts, \
             parked_at, retry_at, key_hash)\nSELECT new.*, sha256(convert_to(new.key, 'UTF8'))\n  FROM unnest("
        ));
        push_places(statement, &places);
        statement.push(", ").push_texts(texts(|event| escaped(event.stream_id.as_str()).into()));
        statement.push(", ").push_texts(texts(|event| escaped(&event.event_type).into()));
        statement.push(", ").push_texts(texts(|event| readable(&event.error)));
        let attempts = events.iter().map(|event| event.attempts.into()).collect();
        statement.push(", ").push_numbers(attempts);
        let parked_at = events.iter().map(|event| Some(Instant(event.parked_at))).collect();
        statement.push(", ").push_instants(parked_at);
        let retry_at = events.iter().map(|event| event.retry_at.map(Instant)).collect();
        statement.push(", ").push_instants(retry_at);
        statement.push(
            ")\n       AS new (name, version, shard, position, key, stream_id, event_type, error, attempts, parked_at, \
             retry_at)",
        );
        parts.condition(statement, "WHERE", None);
        // When it was parked first stays as it was.
        statement.push(
            "\n    ON CONFLICT (name, version, shard, position, key_hash) DO UPDATE\n   SET stream_id = excluded.stream_id, \
             event_type = excluded.event_type, error = excluded.error, attempts = excluded.attempts, \
             retry_at = excluded.retry_at)",
        );
    }

    /// What an error says of the rows, by its code and what it names.
    pub(super) fn refused(&self, error: sqlx::Error) -> Why<'a> {
        let Some(found) = in_database(&error) else { return Why::Other(error) };
        let code = found.code();
        if code == "42P01"
            && let Some(changes) = self.tables.values().next()
        {
            return Why::NoTable(changes.table, error);
        }
        let of_table = found.table().and_then(|name| self.tables.get(name));
        let of_only = || self.tables.values().next().filter(|_| self.tables.len() == 1);
        let changes = match code.get(..2) {
            Some("23") => of_table,
            Some("22" | "54") => of_only(),
            _ => None,
        };
        let Some(changes) = changes else { return Why::Other(error) };
        let message = reason(changes.table, found);
        Why::Refused(changes.refused(StoreError::invalid(message)))
    }
}

/// What an error of the statement comes from.
pub(super) enum Why<'a> {
    Refused(WriteError),
    NoTable(&'a ModelTable, sqlx::Error),
    Other(sqlx::Error),
}

/// Why a table does not take a row.
fn reason(table: &ModelTable, error: &PgDatabaseError) -> String {
    let column = |name: &str| table.table.columns.iter().find(|column| column.name == name);
    match error.code() {
        "23505" => {
            let constraint = error.constraint().unwrap_or_default();
            let mut columns = table.table.columns.iter();
            match columns.find(|column| names::index(table, column.name) == constraint) {
                Some(column) => {
                    format!("another row has the same value in the unique column `{}`", column.name)
                }
                None => format!("another row has the same value (constraint `{constraint}`)"),
            }
        }
        "23502" => match error.column().and_then(column) {
            Some(column) => format!("column `{}` has to hold something", column.name),
            None => "a column that has to hold something holds nothing".to_owned(),
        },
        "22003" => "a number is out of the range of its column".to_owned(),
        "54000" => "a value is longer than an index takes".to_owned(),
        code => format!("the database refuses it ({code}: {})", error.message()),
    }
}

impl<'a> TableChanges<'a> {
    fn refused(&self, source: StoreError) -> WriteError {
        WriteError::RowRefused { model: self.table.table.name.to_owned(), source }
    }

    fn push(
        &self,
        statement: &mut Statement<'a>,
        parts: &mut Parts,
        number: usize,
        name: &str,
    ) -> Result<(), StoreError> {
        let gone = format!("gone_{number}");
        let has_gone = self.push_gone(statement, parts, (&gone, name))?;
        let table = self.table.table;
        let put = |fate: &Fate<'a>| match fate {
            Fate::Put(row) => Some(*row),
            Fate::Gone(_) => None,
        };
        let rows: Vec<&'a Row> = self.rows.values().filter_map(put).collect();
        if rows.is_empty() {
            return Ok(());
        }
        parts.begin(statement, &format!("put_{number}"));
        statement
            .push(&format!("INSERT INTO {name} AS t ({})\nSELECT ", names::list(table.columns)));
        for (index, column) in table.columns.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            statement.push(&format!("{comma}new.c{index}::{}", cast(column)?));
        }
        statement.push("\n  FROM unnest(");
        for (index, column) in table.columns.iter().enumerate() {
            statement.push(if index == 0 { "" } else { ",\n              " });
            statement.push_values(column, rows.iter().map(|row| &row.0[index]))?;
        }
        let names: Vec<String> =
            (0..table.columns.len()).map(|index| format!("c{index}")).collect();
        statement.push(&format!(")\n       AS new ({})", names.join(", ")));
        parts.condition(statement, "WHERE", has_gone.then_some(&gone));
        statement.push(&format!("\n    ON CONFLICT ({}) DO ", names::list(table.key_columns())));
        // A decimal of the key may come with another number of zeros at its end.
        let changes = |(index, column): &(usize, &TableColumn)| {
            !table.key.contains(index) || column.kind == ColumnKind::Decimal
        };
        let rest = table.columns.iter().enumerate().filter(changes);
        let sets: Vec<String> = rest
            .map(|(_, column)| quoted(column.name))
            .map(|name| format!("{name} = excluded.{name}"))
            .collect();
        if sets.is_empty() {
            statement.push("NOTHING)");
        } else {
            statement.push(&format!("UPDATE\n   SET {})", sets.join(", ")));
        }
        Ok(())
    }

    fn push_gone(
        &self,
        statement: &mut Statement<'a>,
        parts: &mut Parts,
        (part, name): (&str, &str),
    ) -> Result<bool, StoreError> {
        // What holds a value that PostgreSQL does not keep is the key of no row.
        let gone = |fate: &Fate<'a>| match fate {
            Fate::Gone(key) if key.0.iter().all(is_kept) => Some(*key),
            _ => None,
        };
        let gone: Vec<&'a RowKey> = self.rows.values().filter_map(gone).collect();
        if gone.is_empty() {
            return Ok(false);
        }
        parts.begin(statement, part);
        statement.push(&format!("DELETE FROM {name} AS t\n WHERE "));
        push_keys(statement, self.table.table, &gone)?;
        parts.condition(statement, "  AND", None);
        statement.push("\nRETURNING 1)");
        Ok(true)
    }
}

/// The parts of the statement, each with its name.
struct Parts {
    is_first: bool,
    /// Whether the first of them moves the checkpoint, on which the others depend.
    is_fenced: bool,
}

impl Parts {
    fn begin(&mut self, statement: &mut Statement<'_>, name: &str) {
        statement.push(if self.is_first { "WITH " } else { ",\n" }).push(name).push(" AS (\n");
        self.is_first = false;
    }

    /// Adds that the checkpoint was moved, and that another part was done before.
    fn condition(
        &self,
        statement: &mut Statement<'_>,
        mut word: &'static str,
        after: Option<&str>,
    ) {
        if self.is_fenced {
            statement.push(&format!("\n {word} EXISTS (SELECT FROM moved)"));
            word = "AND";
        }
        if let Some(part) = after {
            statement.push(&format!("\n {word} (SELECT count(*) FROM {part}) >= 0"));
        }
    }
}

/// Adds the readers, positions and keys of parked events, as arrays.
fn push_places<'a>(
    statement: &mut Statement<'a>,
    places: &[(&'a CheckpointId, Position, &'a str)],
) {
    statement
        .push_texts(places.iter().map(|(reader, ..)| reader.name.clone()).collect())
        .push(", ")
        .push_numbers(places.iter().map(|(reader, ..)| reader.version.into()).collect())
        .push(", ")
        .push_numbers(places.iter().map(|(reader, ..)| reader.shard.into()).collect())
        .push(", ")
        .push_numbers(places.iter().map(|(_, position, _)| bounded(position.get())).collect())
        .push(", ")
        .push_texts(places.iter().map(|(.., key)| escaped(key).into()).collect());
}

/// The type of a column, to which what is bound is narrowed.
fn cast(column: &TableColumn) -> Result<&'static str, StoreError> {
    Ok(match column.kind {
        ColumnKind::Bool => "boolean",
        ColumnKind::SmallInt => "smallint",
        ColumnKind::Integer => "integer",
        ColumnKind::BigInt => "bigint",
        ColumnKind::Real => "real",
        ColumnKind::Double => "double precision",
        ColumnKind::Decimal => "numeric",
        ColumnKind::Text => "text",
        ColumnKind::Uuid => "uuid",
        ColumnKind::Timestamp => "timestamptz",
        ColumnKind::Date => "date",
        ColumnKind::DateTime => "timestamp",
        ColumnKind::Json => "json",
        _ => return Err(unknown_kind(column)),
    })
}
