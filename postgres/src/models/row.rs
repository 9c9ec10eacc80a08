//! Rows as a statement gives them back.

use annals::read_model::{ColumnKind, Row, Table, TableColumn, Value};
use annals::{Payload, StoreError};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::bind::unknown_kind;
use super::day::{Day, DayTime};
use super::names::quoted;
use crate::error::store_error;
use crate::instant::Instant;

/// The columns of a table as they are read, in the order of the fields.
pub(super) fn columns(table: &Table) -> String {
    let column = |column: &TableColumn| {
        let name = quoted(column.name);
        match column.kind {
            // sqlx reads no numbers of any precision, and a `json` would be parsed for nothing.
            ColumnKind::Decimal | ColumnKind::Json => format!("t.{name}::text"),
            _ => format!("t.{name}"),
        }
    };
    let columns: Vec<String> = table.columns.iter().map(column).collect();
    columns.join(", ")
}

/// Reads a row whose columns were asked for by [`columns`].
pub(super) fn read(doing: &str, table: &Table, row: &PgRow) -> Result<Row, StoreError> {
    let values: Result<Vec<Value>, StoreError> = (table.columns.iter().enumerate())
        .map(|(index, column)| read_value(doing, column, row, index))
        .collect();
    values.map(Row)
}

fn read_value(
    doing: &str,
    column: &TableColumn,
    row: &PgRow,
    index: usize,
) -> Result<Value, StoreError> {
    macro_rules! value {
        ($ty:ty, $make:expr) => {
            row.try_get::<Option<$ty>, _>(index).map(|value| value.map($make))
        };
    }
    let value = match column.kind {
        ColumnKind::Bool => value!(bool, Value::Bool),
        ColumnKind::SmallInt => value!(i16, |value| Value::Integer(value.into())),
        ColumnKind::Integer => value!(i32, |value| Value::Integer(value.into())),
        ColumnKind::BigInt => value!(i64, Value::Integer),
        ColumnKind::Real => value!(f32, |value| Value::Float(value.into())),
        ColumnKind::Double => value!(f64, Value::Float),
        ColumnKind::Decimal => value!(String, Value::Decimal),
        ColumnKind::Text => value!(String, Value::Text),
        ColumnKind::Uuid => value!(Uuid, Value::Uuid),
        ColumnKind::Timestamp => value!(Instant, |value| Value::Timestamp(value.0)),
        ColumnKind::Date => value!(Day, |value| Value::Date(value.in_unix())),
        ColumnKind::DateTime => value!(DayTime, |value| Value::DateTime(value.in_unix())),
        ColumnKind::Json => value!(&str, |json| Value::Json(Payload::new(json))),
        _ => return Err(unknown_kind(column)),
    };
    value.map(|value| value.unwrap_or(Value::Null)).map_err(|error| store_error(doing, error))
}
