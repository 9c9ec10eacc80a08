//! Instants, days and times of day as time has them.

use time::{Date, OffsetDateTime, PrimitiveDateTime};

use super::{ColumnError, ColumnType, KeyColumn, instant};
use crate::read_model::{ColumnKind, Value};
use crate::timestamp::Timestamp;

/// 1970-01-01 in Julian days.
const EPOCH: i32 = 2_440_588;

const NANOS_OF_A_MICRO: i128 = 1_000;

impl ColumnType for OffsetDateTime {
    const KIND: ColumnKind = ColumnKind::Timestamp;

    fn to_value(&self) -> Result<Value, ColumnError> {
        instant(self, micros(*self))
    }

    fn from_value(value: Value) -> Result<Self, ColumnError> {
        Timestamp::from_value(value).map(Self::from)
    }
}

impl ColumnType for PrimitiveDateTime {
    const KIND: ColumnKind = ColumnKind::DateTime;

    fn to_value(&self) -> Result<Value, ColumnError> {
        micros(self.assume_utc())
            .map(Value::DateTime)
            .ok_or_else(|| ColumnError::new(format!("{self} is beyond what a column holds")))
    }

    fn from_value(value: Value) -> Result<Self, ColumnError> {
        match value {
            Value::DateTime(micros) => at(micros)
                .map(|at| Self::new(at.date(), at.time()))
                .ok_or_else(|| ColumnError::beyond(&value, "PrimitiveDateTime")),
            other => Err(ColumnError::kind(Self::KIND, &other)),
        }
    }
}

impl ColumnType for Date {
    const KIND: ColumnKind = ColumnKind::Date;

    fn to_value(&self) -> Result<Value, ColumnError> {
        Ok(Value::Date(self.to_julian_day() - EPOCH))
    }

    fn from_value(value: Value) -> Result<Self, ColumnError> {
        match value {
            Value::Date(day) => day
                .checked_add(EPOCH)
                .and_then(|day| Self::from_julian_day(day).ok())
                .ok_or_else(|| ColumnError::beyond(&value, "Date")),
            other => Err(ColumnError::kind(Self::KIND, &other)),
        }
    }
}

impl KeyColumn for OffsetDateTime {}
impl KeyColumn for PrimitiveDateTime {}
impl KeyColumn for Date {}

impl From<Timestamp> for OffsetDateTime {
    fn from(timestamp: Timestamp) -> Self {
        at(timestamp.as_micros()).expect("bug in annals: an instant that time does not have")
    }
}

/// Microseconds since 1970, the last that has passed.
fn micros(at: OffsetDateTime) -> Option<i64> {
    i64::try_from(at.unix_timestamp_nanos().div_euclid(NANOS_OF_A_MICRO)).ok()
}

fn at(micros: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * NANOS_OF_A_MICRO).ok()
}
