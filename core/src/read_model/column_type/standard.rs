//! The types of the standard library, `Uuid` and `Timestamp`.

use uuid::Uuid;

use super::{ColumnError, ColumnType, KeyColumn};
use crate::read_model::{ColumnKind, Value};
use crate::timestamp::Timestamp;

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
