//! What stands in a column: its kind, its value, and the Rust types that go into one.
//!
//! It knows no table and no SQL: a store maps a [`ColumnKind`] to a type of its own.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use uuid::Uuid;

use crate::codec::Payload;
use crate::timestamp::Timestamp;

/// The kind of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColumnKind {
    /// `true` or `false`.
    Bool,
    /// An integer of 16 bits.
    SmallInt,
    /// An integer of 32 bits.
    Integer,
    /// An integer of 64 bits.
    BigInt,
    /// A floating-point number of 32 bits.
    Real,
    /// A floating-point number of 64 bits.
    Double,
    /// A decimal number of any precision.
    Decimal,
    /// A text, compared byte by byte.
    Text,
    /// A UUID.
    Uuid,
    /// An instant, in microseconds.
    Timestamp,
    /// A day.
    Date,
    /// JSON, as the store's codec sealed it.
    Json,
}

impl ColumnKind {
    /// The kind's name, as fingerprints and messages have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::SmallInt => "smallint",
            Self::Integer => "integer",
            Self::BigInt => "bigint",
            Self::Real => "real",
            Self::Double => "double",
            Self::Decimal => "decimal",
            Self::Text => "text",
            Self::Uuid => "uuid",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Json => "json",
        }
    }
}

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
    /// A decimal number, as text.
    Decimal(String),
    /// A text.
    Text(String),
    /// A UUID.
    Uuid(Uuid),
    /// An instant.
    Timestamp(Timestamp),
    /// A day, as a count of days from 1970-01-01.
    Date(i32),
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
            Self::Json(_) => 8,
            Self::Null => 9,
        }
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(one), Self::Bool(two)) => one.cmp(two),
            (Self::Integer(one), Self::Integer(two)) => one.cmp(two),
            (Self::Float(one), Self::Float(two)) => compare_floats(*one, *two),
            (Self::Decimal(one), Self::Decimal(two)) => compare_decimals(one, two),
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
            Self::Integer(value) => value.hash(state),
            // Zero has two signs that compare as equal; `NaN` has many bits.
            Self::Float(value) if value.is_nan() => f64::NAN.to_bits().hash(state),
            Self::Float(value) => (value + 0.0).to_bits().hash(state),
            Self::Decimal(value) => canonical_decimal(value).hash(state),
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
            Self::Date(value) => write!(f, "day {value}"),
            Self::Json(value) => value.as_str().fmt(f),
            Self::Null => f.write_str("null"),
        }
    }
}

fn compare_floats(one: f64, two: f64) -> Ordering {
    one.partial_cmp(&two).unwrap_or_else(|| one.is_nan().cmp(&two.is_nan()))
}

/// A decimal as its sign, the digits before the point without leading zeros, and those after it without trailing ones.
fn canonical_decimal(text: &str) -> (bool, &str, &str) {
    let (is_negative, digits) =
        text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    (is_negative && !(whole.is_empty() && fraction.is_empty()), whole, fraction)
}

fn compare_decimals(one: &str, two: &str) -> Ordering {
    let ((one_negative, one_whole, one_part), (two_negative, two_whole, two_part)) =
        (canonical_decimal(one), canonical_decimal(two));
    let size = (one_whole.len(), one_whole, one_part).cmp(&(two_whole.len(), two_whole, two_part));
    match (one_negative, two_negative) {
        (false, false) => size,
        (true, true) => size.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

/// A type that goes into a column.
///
/// Strings, integers, floating-point numbers, `bool`, `Uuid`, [`Timestamp`] and `Option`s of them do; so do the types of
/// `time`, `chrono` and `rust_decimal`, behind features of those names. `#[derive(AggregateId)]` and, for enums without
/// fields, `#[derive(ColumnType)]` write it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not go into a column",
    label = "not the type of a column",
    note = "a nested type goes in as JSON: `#[read_model(json)]` on the field; an enum without fields goes in as text: `#[derive(ColumnType)]` on the enum"
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
    note = "a key is a string, an integer, a `bool`, a `Uuid`, a `Timestamp`, a day, an aggregate's id, or an enum with `#[derive(ColumnType)]`"
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

macro_rules! column {
    ($($ty:ty: $kind:ident = $variant:ident;)*) => {
        $(
            impl ColumnType for $ty {
                const KIND: ColumnKind = ColumnKind::$kind;

                fn to_value(&self) -> Result<Value, ColumnError> {
                    Ok(Value::$variant(self.to_owned()))
                }

                fn from_value(value: Value) -> Result<Self, ColumnError> {
                    match value {
                        Value::$variant(value) => Ok(value),
                        other => Err(ColumnError::kind(Self::KIND, &other)),
                    }
                }
            }
        )*
    };
}

column! {
    bool: Bool = Bool;
    f64: Double = Float;
    String: Text = Text;
    Uuid: Uuid = Uuid;
    Timestamp: Timestamp = Timestamp;
}

macro_rules! integers {
    ($($ty:ty: $kind:ident;)*) => {
        $(
            impl ColumnType for $ty {
                const KIND: ColumnKind = ColumnKind::$kind;

                fn to_value(&self) -> Result<Value, ColumnError> {
                    i64::try_from(*self).map(Value::Integer).map_err(|_| {
                        ColumnError::new(format!("{self} is above {}, the largest that a column holds", i64::MAX))
                    })
                }

                fn from_value(value: Value) -> Result<Self, ColumnError> {
                    match value {
                        Value::Integer(value) => Self::try_from(value).map_err(|_| {
                            ColumnError::new(format!(
                                "{value} is not between {} and {}",
                                Self::MIN,
                                Self::MAX
                            ))
                        }),
                        other => Err(ColumnError::kind(Self::KIND, &other)),
                    }
                }
            }

            impl KeyColumn for $ty {}
        )*
    };
}

integers! {
    i8: SmallInt;
    i16: SmallInt;
    i32: Integer;
    i64: BigInt;
    u8: SmallInt;
    u16: Integer;
    u32: BigInt;
    u64: BigInt;
}

impl KeyColumn for bool {}
impl KeyColumn for String {}
impl KeyColumn for Uuid {}
impl KeyColumn for Timestamp {}

impl ColumnType for f32 {
    const KIND: ColumnKind = ColumnKind::Real;

    fn to_value(&self) -> Result<Value, ColumnError> {
        Ok(Value::Float(f64::from(*self)))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the column holds numbers of 32 bits")]
    fn from_value(value: Value) -> Result<Self, ColumnError> {
        match value {
            Value::Float(value) => Ok(value as Self),
            other => Err(ColumnError::kind(Self::KIND, &other)),
        }
    }
}

impl<T: ColumnType> ColumnType for Option<T> {
    const KIND: ColumnKind = T::KIND;
    const NULLABLE: bool = {
        assert!(!T::NULLABLE, "an `Option` of an `Option` does not go into a column");
        true
    };

    fn to_value(&self) -> Result<Value, ColumnError> {
        self.as_ref().map_or(Ok(Value::Null), T::to_value)
    }

    fn from_value(value: Value) -> Result<Self, ColumnError> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }
}
