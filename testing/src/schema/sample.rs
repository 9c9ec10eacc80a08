//! Samples: JSON as it is stored, with every digit that it has.

use std::fmt;
use std::str::FromStr;

use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::layout::compact;

/// JSON of an event or a command, as it is stored or sent: its text, since a [`Value`] does not hold each number.
///
/// ```
/// use annals_testing::schema::Sample;
///
/// let sample: Sample = r#"{ "grains": 18446744073709551616 }"#.parse()?;
/// assert_eq!(sample.to_string(), r#"{"grains":18446744073709551616}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample(String);

impl Sample {
    /// The JSON text, in a line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Sample {
    type Err = serde_json::Error;

    fn from_str(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }
}

impl From<Value> for Sample {
    fn from(value: Value) -> Self {
        Self(value.to_string())
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Sample {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(self.0.clone()).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// Only from JSON text: what has become a [`Value`] has lost its digits.
impl<'de> Deserialize<'de> for Sample {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(compact(raw.get())))
    }
}
