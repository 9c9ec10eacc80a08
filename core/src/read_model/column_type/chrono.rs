//! Instants, days and times of day as chrono has them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Timelike, Utc};

use super::{ColumnError, ColumnType, KeyColumn, instant};
use crate::read_model::{ColumnKind, Value};
use crate::timestamp::Timestamp;

impl ColumnType for DateTime<Utc> {
    const KIND: ColumnKind = ColumnKind::Timestamp;

    fn to_value(&self) -> Result<Value, ColumnError> {
        no_leap_second(self)?;
        instant(self, Some(self.timestamp_micros()))
    }

    fn from_value(value: Value) -> Result<Self, ColumnError> {
        Timestamp::from_value(value).map(Self::from)
    }
}

impl ColumnType for NaiveDateTime {
    const KIND: ColumnKind = ColumnKind::DateTime;

    fn to_value(&self) -> Result<Value, ColumnError> {
        no_leap_second(self)?;
        Ok(Value::DateTime(self.and_utc().timestamp_micros()))
    }

    fn from_value(value: Value) -> Result<Self, ColumnError> {
        match value {
            Value::DateTime(micros) => DateTime::from_timestamp_micros(micros)
                .map(|at| at.naive_utc())
                .ok_or_else(|| ColumnError::beyond(&value, "NaiveDateTime")),
            other => Err(ColumnError::kind(Self::KIND, &other)),
        }
    }
}

impl ColumnType for NaiveDate {
    const KIND: ColumnKind = ColumnKind::Date;

    fn to_value(&self) -> Result<Value, ColumnError> {
        Ok(Value::Date(self.to_epoch_days()))
    }

    fn from_value(value: Value) -> Result<Self, ColumnError> {
        match value {
            Value::Date(day) => {
                Self::from_epoch_days(day).ok_or_else(|| ColumnError::beyond(&value, "NaiveDate"))
            }
            other => Err(ColumnError::kind(Self::KIND, &other)),
        }
    }
}

impl KeyColumn for DateTime<Utc> {}
impl KeyColumn for NaiveDateTime {}
impl KeyColumn for NaiveDate {}

impl From<Timestamp> for DateTime<Utc> {
    fn from(timestamp: Timestamp) -> Self {
        Self::from_timestamp_micros(timestamp.as_micros())
            .expect("bug in annals: an instant that chrono does not have")
    }
}

/// Refuses a leap second, which chrono counts as a part of the second before and no column tells from the second after.
fn no_leap_second(at: &(impl Timelike + std::fmt::Display)) -> Result<(), ColumnError> {
    if at.nanosecond() < 1_000_000_000 {
        return Ok(());
    }
    Err(ColumnError::new(format!("{at} is a leap second, which a column does not hold")))
}
