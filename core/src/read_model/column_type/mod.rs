//! The Rust types that go into a column.
//!
//! It knows no table and no SQL: a store maps a [`ColumnKind`] to a type of its own.

#[cfg(feature = "chrono")]
mod chrono;
#[cfg(feature = "rust_decimal")]
mod rust_decimal;
mod standard;
#[cfg(feature = "time")]
mod time;

use super::{ColumnKind, Value};

/// A type that goes into a column.
///
/// Strings, integers, floating-point numbers, `bool`, `Uuid`, [`Timestamp`](crate::Timestamp) and `Option`s of them do.
/// `#[derive(AggregateId)]` and, for enums without fields, `#[derive(ColumnType)]` write it. Types of other crates do behind
/// features that are called as those:
///
/// | Feature | Type | Kind | |
/// |---|---|---|---|
/// | `time` | `OffsetDateTime` | [`Timestamp`](ColumnKind::Timestamp) | comes back in UTC |
/// | | `PrimitiveDateTime` | [`DateTime`](ColumnKind::DateTime) | |
/// | | `Date` | [`Date`](ColumnKind::Date) | |
/// | `chrono` | `DateTime<Utc>` | [`Timestamp`](ColumnKind::Timestamp) | |
/// | | `NaiveDateTime` | [`DateTime`](ColumnKind::DateTime) | |
/// | | `NaiveDate` | [`Date`](ColumnKind::Date) | |
/// | `rust_decimal` | `Decimal` | [`Decimal`](ColumnKind::Decimal) | comes back with all its digits, zeros at the end too |
///
/// What is finer than a microsecond is cut off, as [`Timestamp`](crate::Timestamp) does. What no column holds, such as an
/// instant beyond the year 9999 or a leap second, is an error, and so is what is read and does not fit its type: nothing is
/// rounded.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not go into a column",
    label = "not the type of a column",
    note = "a nested type goes in as JSON: `#[read_model(json)]` on the field; an enum without fields goes in as text: `#[derive(ColumnType)]` on the enum",
    note = "the types of other crates go in with the feature of `annals` that is called as the crate: `time` (`OffsetDateTime`, `PrimitiveDateTime`, `Date`), `chrono` (`DateTime<Utc>`, `NaiveDateTime`, `NaiveDate`), `rust_decimal` (`Decimal`)"
)]
pub trait ColumnType: Sized + Send + Sync + 'static {
    /// The kind of the column.
    const KIND: ColumnKind;
    /// Whether there may be nothing in it.
    const NULLABLE: bool = false;

    /// Makes the column's value.
    ///
    /// # Errors
    ///
    /// When the column cannot hold it.
    fn to_value(&self) -> Result<Value, ColumnError>;

    /// Reads the column's value.
    ///
    /// # Errors
    ///
    /// When it is none of this type.
    fn from_value(value: Value) -> Result<Self, ColumnError>;
}

/// A type that goes into the column of a key: it has an order and an equality, and is always there.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of a row",
    label = "not the type of a key",
    note = "a key is a string, an integer, a `bool`, a `Uuid`, a `Timestamp`, an aggregate's id, or an enum with `#[derive(ColumnType)]`",
    note = "the types of other crates go in with the feature of `annals` that is called as the crate: `time` (`OffsetDateTime`, `PrimitiveDateTime`, `Date`), `chrono` (`DateTime<Utc>`, `NaiveDateTime`, `NaiveDate`), `rust_decimal` (`Decimal`)"
)]
pub trait KeyColumn: ColumnType + Clone {}

/// What a column does not hold, or holds and should not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ColumnError {
    reason: String,
}

impl ColumnError {
    /// Makes an error from its reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }

    /// Says that a value is of another kind than expected.
    pub fn kind(expected: ColumnKind, found: &Value) -> Self {
        Self::new(format!("expected a value of kind {}, found `{found}`", expected.name()))
    }

    /// Says that a type does not reach as far as a value.
    #[cfg(any(feature = "chrono", feature = "time"))]
    fn beyond(value: &Value, ty: &str) -> Self {
        Self::new(format!("{value} is beyond what a `{ty}` holds"))
    }
}

/// What is taken where a value of the type `T` is wanted: `T`, `&T`, or what it is written as.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not stand for `{T}`",
    label = "expected `{T}`"
)]
pub trait IntoColumn<T> {
    /// Makes the value.
    fn into_column(self) -> T;
}

impl<T: ColumnType> IntoColumn<T> for T {
    fn into_column(self) -> T {
        self
    }
}

impl<T: ColumnType + Clone> IntoColumn<T> for &T {
    fn into_column(self) -> T {
        self.clone()
    }
}

impl<T: ColumnType> IntoColumn<Option<T>> for T
where
    Option<T>: ColumnType,
{
    fn into_column(self) -> Option<T> {
        Some(self)
    }
}

impl IntoColumn<String> for &str {
    fn into_column(self) -> String {
        self.to_owned()
    }
}

impl IntoColumn<Option<String>> for &str {
    fn into_column(self) -> Option<String> {
        Some(self.to_owned())
    }
}

/// The instant so many microseconds after 1970, if it is one that all stores count to.
#[cfg(any(feature = "chrono", feature = "time"))]
fn instant(shown: &impl std::fmt::Display, micros: Option<i64>) -> Result<Value, ColumnError> {
    use crate::timestamp::Timestamp;

    let instant = micros.map(Timestamp::from_micros);
    instant.filter(|instant| Some(instant.as_micros()) == micros).map(Value::Timestamp).ok_or_else(
        || {
            let (min, max) = (Timestamp::MIN, Timestamp::MAX);
            ColumnError::new(format!("{shown} is not between {min} and {max}"))
        },
    )
}
