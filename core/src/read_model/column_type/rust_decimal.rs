//! `Decimal`, digit by digit.

use rust_decimal::Decimal;

use super::{ColumnError, ColumnType, KeyColumn};
use crate::read_model::{ColumnKind, Value};

impl ColumnType for Decimal {
    const KIND: ColumnKind = ColumnKind::Decimal;

    fn to_value(&self) -> Result<Value, ColumnError> {
        // No store tells the two zeros apart.
        let number = if self.is_zero() { self.abs() } else { *self };
        Ok(Value::Decimal(number.to_string()))
    }

    fn from_value(value: Value) -> Result<Self, ColumnError> {
        match value {
            Value::Decimal(text) => Self::from_str_exact(&text).map_err(|error| {
                ColumnError::new(format!("`{text}` does not fit a `Decimal`: {error}"))
            }),
            other => Err(ColumnError::kind(Self::KIND, &other)),
        }
    }
}

impl KeyColumn for Decimal {}
