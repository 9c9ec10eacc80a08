//! A month: the one in which an instant falls, in UTC.

use std::fmt;
use std::str::FromStr;

use annals::prelude::*;
use annals::read_model::{ColumnError, ColumnKind, KeyColumn, Value};
use serde::{Deserialize, Serialize};

/// A month in UTC, such as `2011-10`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Month(String);

/// What is no month.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("`{}` is not a month such as `2011-10`", .0.escape_debug())]
pub(crate) struct NotAMonth(String);

impl Month {
    /// The month in which an instant falls.
    pub(crate) fn of(instant: Timestamp) -> Self {
        let instant = instant.to_string();
        // An instant begins with its day: year, month and day, of which the last takes three characters.
        let (day, _) = instant.split_once('T').expect("an instant has a day and a time");
        Self(day[..day.len() - 3].to_owned())
    }
}

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        match format!("{text}-01T00:00:00Z").parse().map(Self::of) {
            Ok(month) if month.0 == text => Ok(month),
            _ => Err(NotAMonth(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Month {
    type Error = NotAMonth;

    fn try_from(text: String) -> Result<Self, NotAMonth> {
        text.parse()
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.0
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// In a column it is its text.
impl ColumnType for Month {
    const KIND: ColumnKind = ColumnKind::Text;

    fn to_value(&self) -> Result<Value, ColumnError> {
        self.0.to_value()
    }

    fn from_value(value: Value) -> Result<Self, ColumnError> {
        let text = String::from_value(value)?;
        text.parse().map_err(|error: NotAMonth| ColumnError::new(error.to_string()))
    }
}

impl KeyColumn for Month {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_falls_in_the_month_of_utc() {
        let check = |instant: &str, expected: &str| {
            let instant: Timestamp = instant.parse().expect("an instant");
            assert_eq!(Month::of(instant).to_string(), expected);
        };
        check("2011-10-11T13:45:40.276+02:00", "2011-10");
        check("2011-11-01T00:30:00+01:00", "2011-10");
        check("2011-10-31T23:30:00-01:00", "2011-11");
        check("-000044-03-15T12:00:00Z", "-000044-03");
    }

    #[test]
    fn a_month_is_a_year_and_a_month() {
        assert_eq!("2011-10".parse(), Ok(Month("2011-10".to_owned())));
        for text in ["", "2011", "2011-13", "2011-1", "2011-10-01", "2011-10 ", "October"] {
            assert_eq!(text.parse::<Month>(), Err(NotAMonth(text.to_owned())));
        }
    }
}
