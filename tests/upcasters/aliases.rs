//! Fields that are read by several names: a mark finds its field under each of them.

use annals::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{check, check_error};

fn cents(euros: u64) -> u64 {
    euros * 100
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 3)]
struct Paid {
    #[serde(alias = "sum", alias = "total")]
    #[event(since = 2, convert_with = cents)]
    amount: u64,
    #[serde(alias = "money")]
    #[event(since = 2, default = "EUR")]
    #[event(since = 3, renamed_from = "unit")]
    currency: String,
}

#[test]
fn a_mark_finds_its_field_under_an_alias() {
    let paid = |amount, currency: &str| Paid { amount, currency: currency.into() };
    check(1, json!({ "amount": 5 }), paid(500, "EUR"));
    check(1, json!({ "sum": 5 }), paid(500, "EUR"));
    check(1, json!({ "total": 5, "money": "USD" }), paid(500, "USD"));
    check(2, json!({ "total": 5, "unit": "USD" }), paid(5, "USD"));
    check(2, json!({ "total": 5, "money": "USD" }), paid(5, "USD"));
    let twice = "Paid: version 1 to 3: duplicate field `amount`";
    check_error::<Paid>(1, json!({ "amount": 5, "sum": 5 }), twice);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Moved {
    #[event(since = 2, renamed_from = "x", renamed_from = "left")]
    z: Option<u32>,
    #[serde(alias = "up")]
    #[event(since = 2, renamed_from = "y", convert_with = cents)]
    height: u64,
}

#[test]
fn a_renamed_field_has_all_its_earlier_names() {
    for left in ["x", "left"] {
        for up in ["y", "up"] {
            check(1, json!({ left: 5, up: 7 }), Moved { z: Some(5), height: 700 });
        }
    }
    check(2, json!({ "z": 5, "up": 7 }), Moved { z: Some(5), height: 7 });
    // The first name is the one that was written.
    check(1, json!({ "left": 1, "x": 2, "z": 3, "y": 7 }), Moved { z: Some(2), height: 700 });
    let missed = "Moved: version 1 to 2: missing field `height`, which version 1 calls `y`";
    check_error::<Moved>(1, json!({ "x": 5 }), missed);
}

/// What was called `b` in version 1 is no `b` of today's, and nor is what was dropped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 3, removed(since = 3, "gone"))]
struct Reused {
    #[serde(alias = "b", alias = "gone")]
    #[event(since = 2, default = 3)]
    a: u32,
    #[event(since = 3, renamed_from = "b")]
    c: u32,
}

#[test]
fn a_name_that_was_another_fields_is_no_alias_of_that_time() {
    check(1, json!({ "b": 1, "gone": 2 }), Reused { a: 3, c: 1 });
    check(3, json!({ "b": 1, "c": 2 }), Reused { a: 1, c: 2 });
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Added {
    #[serde(alias = "b")]
    #[event(since = 2, default = 3)]
    a: u32,
}

#[test]
fn what_is_there_under_an_alias_gets_no_default() {
    check(1, json!({ "b": 1 }), Added { a: 1 });
    check(1, json!({}), Added { a: 3 });
}
