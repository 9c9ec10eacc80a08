//! Fields that were of another type: `convert_with`.

use annals::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{check, check_error};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Retyped {
    #[event(since = 2, convert_with = cents)]
    sure: i64,
    #[event(since = 2, convert_with = checked_cents)]
    unsure: i64,
    #[event(since = 2, convert_with = cents_of_json)]
    json: i64,
    #[event(since = 2, convert_with = Some)]
    wrapped: Option<String>,
    #[event(since = 2, convert_with = widened)]
    widened: u64,
    #[event(since = 2, convert_with = only_of_json)]
    #[serde(with = "as_text")]
    text: i64,
}

fn widened(number: u32) -> u64 {
    number.into()
}

fn cents(price: f64) -> i64 {
    (price * 100.0).round() as i64
}

fn checked_cents(price: f64) -> Result<i64, UpcastError> {
    if price < 0.0 { Err(UpcastError::new("a negative price")) } else { Ok(cents(price)) }
}

fn cents_of_json(price: Value) -> Result<Value, UpcastError> {
    price.as_f64().map(|price| cents(price).into()).ok_or_else(|| UpcastError::new("no number"))
}

fn only_of_json(price: Value) -> Result<Value, UpcastError> {
    Ok(Value::String(price.to_string()))
}

pub mod as_text {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&number.to_string())
    }

    pub(crate) fn maybe<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<i64>, D::Error> {
        deserialize(deserializer).map(Some)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[test]
fn retyped_fields_are_converted() {
    let stored = |unsure: f64, json: Value| json!({ "sure": 1.5, "unsure": unsure, "json": json, "wrapped": "x", "widened": 9, "text": 3 });
    let expected =
        Retyped { sure: 150, unsure: 250, json: 1, wrapped: Some("x".into()), widened: 9, text: 3 };
    check(1, stored(2.5, json!(0.01)), expected);
    check_error::<Retyped>(
        1,
        stored(-1.0, json!(0)),
        "Retyped: version 1 to 2: field `unsure`: a negative price",
    );
    check_error::<Retyped>(
        1,
        stored(1.0, json!("much")),
        "Retyped: version 1 to 2: field `json`: no number",
    );
    check_error::<Retyped>(
        1,
        json!({ "sure": "much" }),
        "Retyped: version 1 to 2: field `sure`: invalid type: string \"much\", expected f64",
    );
    check_error::<Retyped>(1, json!({}), "Retyped: version 1 to 2: missing field `sure`");
}

/// What is JSON today, too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Open {
    #[event(since = 2, convert_with = wrapped)]
    sure: Value,
    #[event(since = 2, convert_with = number_of_json)]
    unsure: Value,
}

fn wrapped(old: Value) -> Value {
    json!([old])
}

fn number_of_json(old: Value) -> Result<Value, String> {
    if old.is_number() { Ok(old) } else { Err(format!("{old} is no number")) }
}

#[test]
fn fields_of_json_are_converted() {
    check(1, json!({ "sure": 1, "unsure": 2 }), Open { sure: json!([1]), unsure: json!(2) });
    check_error::<Open>(
        1,
        json!({ "sure": 1, "unsure": "2" }),
        "Open: version 1 to 2: field `unsure`: \"2\" is no number",
    );
}
