//! The statements that make tables and views.

use std::fmt::Write;

use annals::StoreError;
use annals::read_model::{ColumnKind, Index, ModelTable, TableColumn};

use super::bind::unknown_kind;
use super::names::{self, in_schema, quoted};
use crate::statements::Schema;

/// The column's type. Texts compare byte by byte, as in a program.
fn column_type(column: &TableColumn) -> Result<&'static str, StoreError> {
    Ok(match column.kind {
        ColumnKind::Bool => "boolean",
        ColumnKind::SmallInt => "smallint",
        ColumnKind::Integer => "integer",
        ColumnKind::BigInt => "bigint",
        ColumnKind::Real => "real",
        ColumnKind::Double => "double precision",
        ColumnKind::Decimal => "numeric",
        ColumnKind::Text => "text COLLATE \"C\"",
        ColumnKind::Uuid => "uuid",
        ColumnKind::Timestamp => "timestamptz",
        ColumnKind::Date => "date",
        // The session's time zone has no part in it.
        ColumnKind::DateTime => "timestamp",
        ColumnKind::Json => "json",
        _ => return Err(unknown_kind(column)),
    })
}

/// Makes the table of a generation, with its indexes.
pub(super) fn create(schema: &Schema, table: &ModelTable) -> Result<String, StoreError> {
    let mut columns = Vec::new();
    for column in table.table.columns {
        let null = if column.nullable { "" } else { " NOT NULL" };
        columns.push(format!("{} {}{null}", quoted(column.name), column_type(column)?));
    }
    let key = quoted(&names::key(table));
    let of_key = names::list(table.table.key_columns());
    let name = in_schema(schema, &names::physical(table));
    let columns = columns.join(",\n    ");
    let unlogged = if table.is_scratch() { "UNLOGGED " } else { "" };
    let mut sql = format!(
        "CREATE {unlogged}TABLE {name} (\n    {columns},\n    CONSTRAINT {key} PRIMARY KEY ({of_key})\n);\n"
    );
    for column in table.table.columns {
        sql.push_str(&index(schema, table, column));
    }
    Ok(sql)
}

/// Adds columns to the table of a generation.
pub(super) fn add_columns(
    schema: &Schema,
    table: &ModelTable,
    added: &[String],
) -> Result<String, StoreError> {
    let name = in_schema(schema, &names::physical(table));
    let mut sql = String::new();
    let columns = table.table.columns.iter();
    for column in columns.filter(|column| added.iter().any(|added| added == column.name)) {
        // Writing to a text does not fail.
        let _ = writeln!(
            sql,
            "ALTER TABLE {name} ADD COLUMN {} {};",
            quoted(column.name),
            column_type(column)?
        );
        sql.push_str(&index(schema, table, column));
    }
    Ok(sql)
}

fn index(schema: &Schema, table: &ModelTable, column: &TableColumn) -> String {
    let name = in_schema(schema, &names::physical(table));
    let (index, column_name) = (quoted(&names::index(table, column.name)), quoted(column.name));
    match column.index {
        Index::Plain => format!("CREATE INDEX {index} ON {name} ({column_name});\n"),
        // Checked at the statement's end: within a batch, rows may swap their values.
        Index::Unique => format!(
            "ALTER TABLE {name} ADD CONSTRAINT {index} UNIQUE ({column_name}) DEFERRABLE INITIALLY IMMEDIATE;\n"
        ),
        _ => String::new(),
    }
}

pub(super) fn drop_table(schema: &Schema, table: &ModelTable) -> String {
    format!("DROP TABLE IF EXISTS {};\n", in_schema(schema, &names::physical(table)))
}

/// Makes or renews a view. `columns` are those it has already, whose order has to stay; new ones follow them.
pub(super) fn view(name: &str, of: &str, all: &[String], columns: &[String]) -> String {
    let new = all.iter().filter(|name| !columns.contains(name));
    let list: Vec<String> = columns.iter().chain(new).map(|name| quoted(name)).collect();
    format!("CREATE OR REPLACE VIEW {name} AS SELECT {} FROM {of}", list.join(", "))
}
