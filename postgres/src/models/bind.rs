//! Values on their way into a statement, each as the type of its column.

use std::fmt::Write;

use annals::read_model::{ColumnKind, TableColumn, Value};
use annals::{StoreError, Timestamp};
use sqlx::{AssertSqlSafe, SqlSafeStr};
use uuid::Uuid;

use super::day::{Day, DayTime};
use crate::database::Query;
use crate::instant::Instant;
use crate::statements::Statements;

/// The statement's text with what is bound to it.
///
/// The text depends on what is asked and not on the values, nor on how many there are, so that the server plans it once.
#[derive(Debug, Default)]
pub(super) struct Statement<'a> {
    sql: String,
    binds: Vec<Bind<'a>>,
}

/// What is bound: one value, or all values of a column.
#[derive(Debug)]
enum Bind<'a> {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Option<&'a str>),
    Uuid(Uuid),
    Instant(Instant),
    Day(Day),
    DayTime(DayTime),
    Bools(Vec<Option<bool>>),
    Integers(Vec<Option<i64>>),
    Floats(Vec<Option<f64>>),
    Texts(Vec<Option<&'a str>>),
    OwnTexts(Vec<String>),
    Uuids(Vec<Option<Uuid>>),
    Instants(Vec<Option<Instant>>),
    Days(Vec<Option<Day>>),
    DayTimes(Vec<Option<DayTime>>),
}

impl<'a> Statement<'a> {
    /// Adds to the text.
    pub(super) fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Binds a number, and adds its place to the text.
    pub(super) fn push_number(&mut self, number: i64) -> &mut Self {
        self.place(Bind::Integer(number))
    }

    /// Binds numbers as an array.
    pub(super) fn push_numbers(&mut self, numbers: Vec<i64>) -> &mut Self {
        self.place(Bind::Integers(numbers.into_iter().map(Some).collect())).push("::bigint[]")
    }

    /// Binds a text.
    pub(super) fn push_text(&mut self, text: &'a str) -> &mut Self {
        self.place(Bind::Text(Some(text)))
    }

    /// Binds texts as an array.
    pub(super) fn push_texts(&mut self, texts: Vec<String>) -> &mut Self {
        self.place(Bind::OwnTexts(texts)).push("::text[]")
    }

    /// Binds instants as an array.
    pub(super) fn push_instants(&mut self, instants: Vec<Option<Instant>>) -> &mut Self {
        self.place(Bind::Instants(instants)).push("::timestamptz[]")
    }

    /// Binds a value that is compared with those of a column.
    pub(super) fn push_value(
        &mut self,
        column: &TableColumn,
        value: &'a Value,
    ) -> Result<&mut Self, StoreError> {
        let bind = one(value).ok_or_else(|| misfit(column, value))?;
        self.place(bind);
        Ok(if column.kind == ColumnKind::Decimal { self.push("::text::numeric") } else { self })
    }

    /// Binds values that are compared with those of a column, as an array.
    pub(super) fn push_values<'v>(
        &mut self,
        column: &TableColumn,
        values: impl IntoIterator<Item = &'v Value>,
    ) -> Result<&mut Self, StoreError>
    where
        'v: 'a,
    {
        let bind = many(column, values)?;
        self.place(bind);
        Ok(self.push(match column.kind {
            ColumnKind::Decimal => "::text[]::numeric[]",
            kind => array_type(kind),
        }))
    }

    /// Binds a number whose place is in the text already.
    pub(super) fn bind_number(&mut self, number: i64) -> &mut Self {
        self.binds.push(Bind::Integer(number));
        self
    }

    /// Binds a UUID whose place is in the text already.
    pub(super) fn bind_uuid(&mut self, uuid: Uuid) -> &mut Self {
        self.binds.push(Bind::Uuid(uuid));
        self
    }

    /// Binds a text whose place is in the text already.
    pub(super) fn bind_text(&mut self, text: &'a str) -> &mut Self {
        self.binds.push(Bind::Text(Some(text)));
        self
    }

    fn place(&mut self, bind: Bind<'a>) -> &mut Self {
        self.binds.push(bind);
        // Writing to a text does not fail.
        let _ = write!(self.sql, "${}", self.binds.len());
        self
    }

    /// The query, as often as it is sent.
    pub(super) fn query(&self, statements: &Statements) -> Query<'_> {
        // All names in it are quoted, and all values bound.
        let mut query = statements.written(AssertSqlSafe(self.sql.clone()).into_sql_str());
        for bind in &self.binds {
            query = match bind {
                Bind::Bool(value) => query.bind(value),
                Bind::Integer(value) => query.bind(value),
                Bind::Float(value) => query.bind(value),
                Bind::Text(value) => query.bind(value),
                Bind::Uuid(value) => query.bind(value),
                Bind::Instant(value) => query.bind(value),
                Bind::Day(value) => query.bind(value),
                Bind::DayTime(value) => query.bind(value),
                Bind::Bools(values) => query.bind(values),
                Bind::Integers(values) => query.bind(values),
                Bind::Floats(values) => query.bind(values),
                Bind::Texts(values) => query.bind(values),
                Bind::OwnTexts(values) => query.bind(values),
                Bind::Uuids(values) => query.bind(values),
                Bind::Instants(values) => query.bind(values),
                Bind::Days(values) => query.bind(values),
                Bind::DayTimes(values) => query.bind(values),
            };
        }
        query
    }
}

/// The type of an array of a column's values as they are bound, which the column's own type may be narrower than.
fn array_type(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Bool => "::boolean[]",
        ColumnKind::SmallInt | ColumnKind::Integer | ColumnKind::BigInt => "::bigint[]",
        ColumnKind::Real | ColumnKind::Double => "::double precision[]",
        ColumnKind::Uuid => "::uuid[]",
        ColumnKind::Timestamp => "::timestamptz[]",
        ColumnKind::Date => "::date[]",
        ColumnKind::DateTime => "::timestamp[]",
        _ => "::text[]",
    }
}

fn one(value: &Value) -> Option<Bind<'_>> {
    Some(match value {
        Value::Bool(value) => Bind::Bool(*value),
        Value::Integer(value) => Bind::Integer(*value),
        Value::Float(value) => Bind::Float(*value),
        Value::Decimal(text) => Bind::Text(Some(decimal(text)?)),
        Value::Text(text) => Bind::Text(Some(text)),
        Value::Uuid(value) => Bind::Uuid(*value),
        Value::Timestamp(value) => Bind::Instant(Instant(*value)),
        Value::Date(value) => Bind::Day(Day::nearest(*value)),
        Value::DateTime(value) => Bind::DayTime(DayTime::nearest(*value)),
        Value::Json(payload) => Bind::Text(Some(payload.as_str())),
        _ => return None,
    })
}

fn many<'v>(
    column: &TableColumn,
    values: impl IntoIterator<Item = &'v Value>,
) -> Result<Bind<'v>, StoreError> {
    fn each<'v, T>(
        column: &TableColumn,
        values: impl IntoIterator<Item = &'v Value>,
        read: impl Fn(&'v Value) -> Option<T>,
    ) -> Result<Vec<Option<T>>, StoreError> {
        let value = |value: &'v Value| {
            if value.is_null() {
                return Ok(None);
            }
            read(value).map(Some).ok_or_else(|| misfit(column, value))
        };
        values.into_iter().map(value).collect()
    }
    macro_rules! values {
        ($pattern:pat => $value:expr) => {
            each(column, values, |value| match value {
                $pattern => $value,
                _ => None,
            })?
        };
    }
    Ok(match column.kind {
        ColumnKind::Bool => Bind::Bools(values!(Value::Bool(value) => Some(*value))),
        ColumnKind::SmallInt | ColumnKind::Integer | ColumnKind::BigInt => {
            Bind::Integers(values!(Value::Integer(value) => Some(*value)))
        }
        ColumnKind::Real | ColumnKind::Double => {
            Bind::Floats(values!(Value::Float(value) => Some(*value)))
        }
        ColumnKind::Decimal => Bind::Texts(values!(Value::Decimal(text) => decimal(text))),
        ColumnKind::Text => Bind::Texts(values!(Value::Text(text) => without_nul(text))),
        ColumnKind::Uuid => Bind::Uuids(values!(Value::Uuid(value) => Some(*value))),
        ColumnKind::Timestamp => Bind::Instants(values!(Value::Timestamp(value) => exact(*value))),
        ColumnKind::Date => Bind::Days(values!(Value::Date(value) => Day::from_unix(*value))),
        ColumnKind::DateTime => {
            Bind::DayTimes(values!(Value::DateTime(value) => DayTime::from_unix(*value)))
        }
        ColumnKind::Json => Bind::Texts(values!(Value::Json(json) => without_nul(json.as_str()))),
        _ => return Err(unknown_kind(column)),
    })
}

fn without_nul(text: &str) -> Option<&str> {
    (!text.contains('\0')).then_some(text)
}

/// How many digits a `numeric` holds before and behind the point.
const DIGITS_BEFORE: usize = 131_072;
const DIGITS_AFTER: usize = 16_383;

/// A text that PostgreSQL reads as the same number, digit by digit.
fn decimal(text: &str) -> Option<&str> {
    let number = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
    let is_kept = !(whole.is_empty() && fraction.is_empty())
        && is_number(whole)
        && is_number(fraction)
        && whole.trim_start_matches('0').len() <= DIGITS_BEFORE
        && fraction.len() <= DIGITS_AFTER;
    is_kept.then_some(text)
}

fn exact(instant: Timestamp) -> Option<Instant> {
    Some(Instant(instant)).filter(|instant| instant.is_exact())
}

/// Says why a value does not go into a column.
pub(super) fn misfit(column: &TableColumn, value: &Value) -> StoreError {
    let name = column.name;
    match value {
        Value::Text(text) if text.contains('\0') => StoreError::invalid(format!(
            "column `{name}`: the text holds the character U+0000, which PostgreSQL does not keep"
        )),
        Value::Date(_) if column.kind == ColumnKind::Date => StoreError::invalid(format!(
            "column `{name}`: {value} is not between those that PostgreSQL keeps"
        )),
        Value::DateTime(_) if column.kind == ColumnKind::DateTime => StoreError::invalid(format!(
            "column `{name}`: {value} is not between those that PostgreSQL keeps"
        )),
        Value::Decimal(_) if column.kind == ColumnKind::Decimal => StoreError::invalid(format!(
            "column `{name}`: `{value}` is no decimal number of up to {DIGITS_BEFORE} digits before the point and {DIGITS_AFTER} behind it"
        )),
        Value::Timestamp(instant) if column.kind == ColumnKind::Timestamp => {
            StoreError::invalid(format!(
                "column `{name}`: instant {instant} is not between those that PostgreSQL keeps"
            ))
        }
        value => {
            let kind = column.kind.name();
            StoreError::invalid(format!(
                "column `{name}`: expected a value of kind {kind}, found `{}`",
                value.to_string().escape_debug()
            ))
        }
    }
}

pub(super) fn unknown_kind(column: &TableColumn) -> StoreError {
    StoreError::invalid(format!(
        "column `{}`: the store has no type for the kind {}",
        column.name,
        column.kind.name()
    ))
}
