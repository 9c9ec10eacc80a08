//! What stands in a column, whatever type it comes from, and the one order of it.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use uuid::Uuid;

use super::decimal;
use crate::codec::Payload;
use crate::timestamp::Timestamp;

/// The value of a column.
///
/// Values of one kind have one order, which is that of the store's index, too: texts go byte by byte, `NaN` is above all
/// other numbers, and nothing is above everything.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Value {
    /// Of a kind's boolean.
    Bool(bool),
    /// Of any kind of integer.
    Integer(i64),
    /// Of any kind of floating-point number.
    Float(f64),
    /// A decimal number, as text: digits, with a `-` before and a point between where they are needed, as `-12.50`.
    Decimal(String),
    /// A text.
    Text(String),
    /// A UUID.
    Uuid(Uuid),
    /// An instant.
    Timestamp(Timestamp),
    /// A day, as a count of days from 1970-01-01.
    Date(i32),
    /// A day and a time of that day, as a count of microseconds from 1970-01-01T00:00:00.
    DateTime(i64),
    /// JSON.
    Json(Payload),
    /// Nothing.
    Null,
}

impl Value {
    /// Whether there is nothing.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Bool(_) => 0,
            Self::Integer(_) => 1,
            Self::Float(_) => 2,
            Self::Decimal(_) => 3,
            Self::Text(_) => 4,
            Self::Uuid(_) => 5,
            Self::Timestamp(_) => 6,
            Self::Date(_) => 7,
            Self::DateTime(_) => 8,
            Self::Json(_) => 9,
            Self::Null => 10,
        }
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(one), Self::Bool(two)) => one.cmp(two),
            (Self::Integer(one), Self::Integer(two))
            | (Self::DateTime(one), Self::DateTime(two)) => one.cmp(two),
            (Self::Float(one), Self::Float(two)) => compare_floats(*one, *two),
            (Self::Decimal(one), Self::Decimal(two)) => decimal::compare(one, two),
            (Self::Text(one), Self::Text(two)) => one.cmp(two),
            (Self::Uuid(one), Self::Uuid(two)) => one.cmp(two),
            (Self::Timestamp(one), Self::Timestamp(two)) => one.cmp(two),
            (Self::Date(one), Self::Date(two)) => one.cmp(two),
            (Self::Json(one), Self::Json(two)) => one.as_str().cmp(two.as_str()),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            Self::Bool(value) => value.hash(state),
            Self::Integer(value) | Self::DateTime(value) => value.hash(state),
            // Zero has two signs that compare as equal; `NaN` has many bits.
            Self::Float(value) if value.is_nan() => f64::NAN.to_bits().hash(state),
            Self::Float(value) => (value + 0.0).to_bits().hash(state),
            Self::Decimal(value) => decimal::parts(value).hash(state),
            Self::Text(value) => value.hash(state),
            Self::Uuid(value) => value.hash(state),
            Self::Timestamp(value) => value.hash(state),
            Self::Date(value) => value.hash(state),
            Self::Json(value) => value.as_str().hash(state),
            Self::Null => {}
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Decimal(value) | Self::Text(value) => value.fmt(f),
            Self::Uuid(value) => value.fmt(f),
            Self::Timestamp(value) => value.fmt(f),
            Self::Date(value) => match civil(i64::from(*value).checked_mul(MICROS_OF_A_DAY)) {
                Some(at) => at.date().fmt(f),
                None => write!(f, "day {value}"),
            },
            Self::DateTime(value) => match civil(Some(*value)) {
                Some(at) => at.fmt(f),
                None => write!(f, "microsecond {value}"),
            },
            Self::Json(value) => value.as_str().fmt(f),
            Self::Null => f.write_str("null"),
        }
    }
}

fn compare_floats(one: f64, two: f64) -> Ordering {
    one.partial_cmp(&two).unwrap_or_else(|| one.is_nan().cmp(&two.is_nan()))
}

const MICROS_OF_A_DAY: i64 = 86_400_000_000;

/// The day and the time of day so many microseconds after 1970-01-01T00:00:00, in years that have four digits.
fn civil(micros: Option<i64>) -> Option<jiff::civil::DateTime> {
    let since = jiff::SignedDuration::from_micros(micros?);
    jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0).checked_add(since).ok()
}
