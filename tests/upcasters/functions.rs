//! Steps by functions, alone and before the marks of their step.

use annals::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{check, check_error};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(
    version = 5,
    upcast(from = 1, with = split_name),
    upcast(from = 2),
    upcast(from = 3, with = steps::greeting),
    removed(since = 5, "greeting")
)]
struct Registered {
    first_name: String,
    last_name: String,
    #[event(since = 4, default = "Dear")]
    salutation: String,
    #[event(since = 5, renamed_from = "mail")]
    email: Option<String>,
}

fn split_name(old: Value) -> Result<Value, UpcastError> {
    let name = old["name"].as_str().ok_or_else(|| UpcastError::new("`name` is not a string"))?;
    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
    Ok(json!({ "first_name": first, "last_name": last, "mail": old["mail"] }))
}

mod steps {
    use super::{UpcastError, Value};

    /// Gives what the mark of the same step would default.
    pub(super) fn greeting(mut old: Value) -> Result<Value, UpcastError> {
        if old["first_name"] == "Ada" {
            old["salutation"] = "Hello".into();
        }
        old["greeting"] = true.into();
        Ok(old)
    }
}

#[test]
fn every_version_takes_the_steps_above_it() {
    let ada = || Registered {
        first_name: "Ada".into(),
        last_name: "Lovelace".into(),
        salutation: "Hello".into(),
        email: Some("a@l".into()),
    };
    check(1, json!({ "name": "Ada Lovelace", "mail": "a@l" }), ada());
    for version in [2, 3] {
        let stored = json!({ "first_name": "Ada", "last_name": "Lovelace", "mail": "a@l" });
        check(version, stored, ada());
    }
    let stored = json!({ "first_name": "Ada", "last_name": "Lovelace", "mail": "a@l", "salutation": "Hello", "greeting": 1 });
    check(4, stored, ada());
    let bob = Registered {
        first_name: "Bob".into(),
        last_name: String::new(),
        salutation: "Dear".into(),
        email: None,
    };
    check(1, json!({ "name": "Bob" }), bob.clone());
    check(5, serde_json::to_value(&bob).unwrap(), bob);
}

#[test]
fn a_failing_step_is_named() {
    check_error::<Registered>(
        1,
        json!({ "name": 7 }),
        "Registered: version 1 to 2: `name` is not a string",
    );
    check_error::<Registered>(
        2,
        json!({ "first_name": "Ada" }),
        "Registered: version 2 to 5: missing field `last_name`",
    );
}

#[test]
fn text_that_is_no_json_is_named_with_its_versions() {
    let stored = annals::Stored::new("Registered", 1, "{");
    let error = Registered::decode(stored).unwrap_err().to_string();
    assert!(error.starts_with("Registered: version 1 to 5: EOF while parsing"), "{error}");
}

/// Whatever has no named fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2, upcast(from = 1, with = first))]
struct Wrapped(u64);

fn first(old: Value) -> Result<Value, UpcastError> {
    old.get(0).cloned().ok_or_else(|| UpcastError::new("an empty list"))
}

#[test]
fn a_newtype_changes_by_a_function() {
    check(1, json!([5, 6]), Wrapped(5));
    check_error::<Wrapped>(1, json!([]), "Wrapped: version 1 to 2: an empty list");
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2, upcast(from = 1, with = flat))]
struct Flat {
    #[serde(flatten)]
    price: Price,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Price {
    cents: i64,
}

fn flat(old: Value) -> Result<Value, UpcastError> {
    Ok(json!({ "cents": old["price"]["cents"] }))
}

#[test]
fn a_flattened_event_changes_by_a_function() {
    check(1, json!({ "price": { "cents": 5 } }), Flat { price: Price { cents: 5 } });
}

/// Functions by any path that names one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(
    version = 5,
    upcast(from = 1, with = keep::<u8>),
    upcast(from = 2, with = <Doubling as Step>::take),
    upcast(from = 3, with = Self::step)
)]
struct Measured {
    #[event(since = 5, convert_with = Self::half)]
    width: f64,
    #[event(since = 5, convert_with = widen::<u8, u32>)]
    height: u32,
    #[event(since = 5, convert_with = <u16 as From<u8>>::from)]
    depth: u16,
}

impl Measured {
    fn step(mut old: Value) -> Value {
        old["height"] = old["width"].clone();
        old["depth"] = old["width"].clone();
        old
    }

    fn half(width: u32) -> f64 {
        f64::from(width) / 2.0
    }
}

trait Step {
    fn take(old: Value) -> Value;
}

struct Doubling;

impl Step for Doubling {
    fn take(old: Value) -> Value {
        json!({ "width": old["width"].as_u64().map(|width| width * 2) })
    }
}

/// Fails with an error of its own.
fn keep<N: TryFrom<u64>>(old: Value) -> Result<Value, OutOfRange> {
    let fits = old["width"].as_u64().is_some_and(|width| N::try_from(width).is_ok());
    if fits { Ok(old) } else { Err(OutOfRange) }
}

#[derive(Debug, thiserror::Error)]
#[error("out of range")]
struct OutOfRange;

fn widen<N: Into<M>, M>(narrow: N) -> M {
    narrow.into()
}

#[test]
fn any_path_that_names_a_function_is_one() {
    check(1, json!({ "width": 3 }), Measured { width: 3.0, height: 6, depth: 6 });
    check_error::<Measured>(1, json!({ "width": 300 }), "Measured: version 1 to 2: out of range");
}

macro_rules! stepped {
    ($name:ident, $step:path, $convert:expr) => {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
        #[event(version = 3, upcast(from = 1, with = $step))]
        struct $name {
            #[event(since = 3, convert_with = $convert)]
            width: u64,
        }
    };
}

stepped!(Stepped, Doubling::take, widen::<u8, u64>);

#[test]
fn functions_come_out_of_macros() {
    check(1, json!({ "width": 4 }), Stepped { width: 8 });
}
