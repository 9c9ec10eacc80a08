//! What the marks on fields and `removed(…)` do.

use annals::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::conversions::as_text;
use crate::{check, check_error};

const FREE: u32 = 7;
const HOME: &str = "home";

fn nobody() -> String {
    "nobody".to_owned()
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
enum Kind {
    #[default]
    Plain,
    Gift,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Added {
    id: u32,
    #[event(since = 2, default = "EUR")]
    text: String,
    #[event(since = 2, default = 2 + 3)]
    number: u64,
    #[event(since = 2, default = -1)]
    negative: i8,
    #[event(since = 2, default = FREE)]
    constant: u32,
    #[event(since = 2, default = HOME)]
    text_constant: String,
    #[event(since = 2, default = nobody)]
    called: String,
    #[event(since = 2, default = nobody().to_uppercase())]
    expression: String,
    #[event(since = 2, default = Kind::Gift)]
    variant: Kind,
    #[event(since = 2, default = Default::default)]
    by_trait: Kind,
    #[event(since = 2, default = Vec::new)]
    list: Vec<Kind>,
    #[event(since = 2, default = vec![Kind::Gift])]
    filled: Vec<Kind>,
    #[event(since = 2, default = None)]
    none: Option<u8>,
    #[event(since = 2, default = Some(3))]
    some: Option<u8>,
    #[event(since = 2)]
    option: Option<String>,
    #[event(since = 2)]
    aliased: Maybe<u8>,
    #[event(since = 2)]
    #[serde(default)]
    by_serde: u16,
}

type Maybe<T> = Option<T>;

#[test]
fn added_fields_have_their_defaults() {
    let expected = Added {
        id: 1,
        text: "EUR".into(),
        number: 5,
        negative: -1,
        constant: 7,
        text_constant: "home".into(),
        called: "nobody".into(),
        expression: "NOBODY".into(),
        variant: Kind::Gift,
        by_trait: Kind::Plain,
        list: vec![],
        filled: vec![Kind::Gift],
        none: None,
        some: Some(3),
        option: None,
        aliased: None,
        by_serde: 0,
    };
    check(1, json!({ "id": 1 }), expected.clone());
    // What is there stays.
    check(1, json!({ "id": 1, "text": "USD" }), Added { text: "USD".into(), ..expected.clone() });
    check(2, serde_json::to_value(&expected).unwrap(), expected);
}

#[test]
fn a_default_is_for_older_versions_only() {
    let error = crate::read::<Added>(2, &json!({ "id": 1 })).unwrap_err();
    assert!(error.starts_with("Added: missing field `text`"), "{error}");
}

#[test]
fn a_field_that_no_version_added_is_missed() {
    check_error::<Added>(1, json!({}), "Added: version 1 to 2: missing field `id`");
    check_error::<Added>(1, json!([]), "Added: version 1 to 2: it is not a JSON object");
}

/// `a` was `b`, and `b` was `a`; then `b` became `c`, and then it became a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 5)]
struct Renamed {
    #[event(since = 2, renamed_from = "b")]
    a: String,
    #[event(since = 2, renamed_from = "a")]
    #[event(since = 3, renamed_from = "b")]
    #[event(since = 4, convert_with = length)]
    #[event(since = 5, renamed_from = "d")]
    c: usize,
}

fn length(text: String) -> usize {
    text.len()
}

#[test]
fn renamed_again_and_again() {
    let expected = || Renamed { a: "A".into(), c: 4 };
    check(1, json!({ "b": "A", "a": "four" }), expected());
    check(2, json!({ "a": "A", "b": "four" }), expected());
    check(3, json!({ "a": "A", "d": "four" }), expected());
    check(4, json!({ "a": "A", "d": 4 }), expected());
    check(5, json!({ "a": "A", "c": 4 }), expected());
}

/// `name` came in version 2 as `n`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 4)]
struct Later {
    #[event(since = 2, default = "none")]
    #[event(since = 3, renamed_from = "n")]
    name: String,
    #[event(since = 2, default = "12")]
    #[event(since = 3, convert_with = parsed)]
    #[event(since = 4, convert_with = doubled)]
    count: u64,
    #[event(since = 2, default = nobody)]
    #[event(since = 3, convert_with = length)]
    width: usize,
    #[event(since = 2)]
    #[event(since = 3, renamed_from = "remark")]
    note: Option<String>,
    #[event(since = 3, renamed_from = "gone", default = 9)]
    come: u8,
}

fn parsed(text: String) -> Result<u32, std::num::ParseIntError> {
    text.parse()
}

fn doubled(number: u32) -> u64 {
    u64::from(number) * 2
}

#[test]
fn what_was_added_may_change_later() {
    let expected = || Later { name: "none".into(), count: 24, width: 6, note: None, come: 9 };
    check(1, json!({}), expected());
    let stored = json!({ "n": "none", "count": "12", "width": "nobody", "remark": "x", "gone": 1 });
    check(2, stored, Later { note: Some("x".into()), come: 1, ..expected() });
    check(3, json!({ "name": "none", "count": 12, "width": 6, "come": 9 }), expected());
    check_error::<Later>(
        2,
        json!({ "n": "", "count": "twelve", "width": "", "gone": 1 }),
        "Later: version 2 to 3: field `count`: invalid digit found in string",
    );
    check_error::<Later>(
        1,
        json!({ "count": "twelve" }),
        "Later: stored at version 1: version 2 to 3: field `count`: invalid digit found in string",
    );
}

/// An inner value may have fields of the same names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Inner {
    address: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 4, readable_from = 4)]
struct Moved {
    #[event(since = 2, renamed_from = "addr")]
    #[event(since = 4, renamed_from = "place")]
    address: String,
    #[event(since = 3, renamed_from = "within")]
    inside: Inner,
}

#[test]
fn a_missing_field_is_named_as_its_version_called_it() {
    let inner = json!({ "address": "" });
    check_error::<Moved>(
        1,
        json!({ "within": inner }),
        "Moved: version 1 to 4: missing field `address`, which version 1 calls `addr`",
    );
    for version in [2, 3] {
        let message = format!(
            "Moved: version {version} to 4: missing field `address`, which version {version} calls `place`"
        );
        check_error::<Moved>(version, json!({ "within": inner, "inside": inner }), &message);
    }
    // A name that has not changed since is said once.
    check_error::<Moved>(
        3,
        json!({ "place": "" }),
        "Moved: version 3 to 4: missing field `inside`",
    );
    // What is missing inside is not the field.
    check_error::<Moved>(
        1,
        json!({ "addr": "", "within": {} }),
        "Moved: version 1 to 4: missing field `address`",
    );
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 3, removed(since = 2, "coupon", "fax"), removed(since = 3, "size"))]
#[serde(deny_unknown_fields)]
#[expect(clippy::duplicated_attributes, reason = "clippy does not see the version behind `since`")]
struct Removed {
    id: u32,
    /// Came back as something else.
    #[event(since = 3, default = 1)]
    coupon: u32,
}

#[test]
fn removed_fields_are_left_out_before_others_come() {
    check(1, json!({ "id": 1, "coupon": "X", "fax": 3, "size": 2 }), Removed { id: 1, coupon: 1 });
    check(2, json!({ "id": 1, "size": null }), Removed { id: 1, coupon: 1 });
    check(2, json!({ "id": 1 }), Removed { id: 1, coupon: 1 });
    check(3, json!({ "id": 1, "coupon": 2 }), Removed { id: 1, coupon: 2 });
    let error = crate::read::<Removed>(3, &json!({ "id": 1, "coupon": 2, "size": 1 })).unwrap_err();
    assert!(error.starts_with("Removed: unknown field `size`"), "{error}");
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2, removed(since = 2, "why"))]
#[serde(deny_unknown_fields)]
struct Emptied {}

#[test]
fn the_last_field_may_be_removed() {
    check(1, json!({ "why": "because" }), Emptied {});
    check(2, json!({}), Emptied {});
}

/// What serde writes otherwise, but reads as the type does, may have a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Shown {
    #[event(since = 2, default = 5)]
    #[serde(serialize_with = "as_text::serialize")]
    number: i64,
    #[event(since = 2)]
    #[serde(default, deserialize_with = "as_text::maybe")]
    maybe: Option<i64>,
}

#[test]
fn what_serde_reads_otherwise_is_left_to_serde() {
    check(1, json!({}), Shown { number: 5, maybe: None });
    check(1, json!({ "maybe": "7" }), Shown { number: 5, maybe: Some(7) });
}

macro_rules! event {
    ($name:ident { $field:ident: $ty:ty, $since:expr, $default:expr, $old:literal }) => {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
        #[event(version = $since, removed(since = $since, $old))]
        struct $name {
            #[event(since = $since, default = $default)]
            $field: $ty,
        }
    };
}

event!(Generated { json: String, 2, "made by a macro", "from" });
event!(Computed { fields: u64, 2, FREE.into(), "default" });

#[test]
fn marks_come_out_of_macros_and_names_do_not_clash() {
    check(1, json!({ "from": 1 }), Generated { json: "made by a macro".into() });
    check(1, json!({}), Computed { fields: 7 });
}

/// In version 2, all at once: `address` goes, and `addr` takes its name and its place as something else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2, upcast(from = 1, with = shouted), removed(since = 2, "address"))]
struct AllAtOnce {
    #[event(since = 2, renamed_from = "addr")]
    address: String,
    #[event(since = 2, renamed_from = "due", convert_with = length, default = 30)]
    days: usize,
}

/// Sees the names of version 1.
fn shouted(mut old: Value) -> Value {
    old["addr"] = old["addr"].as_str().unwrap_or("nowhere").to_uppercase().into();
    old
}

#[test]
fn in_one_version_fields_are_removed_then_renamed_then_converted_then_added() {
    let expected = || AllAtOnce { address: "NEW".into(), days: 3 };
    check(1, json!({ "address": "old", "addr": "new", "due": "abc" }), expected());
    // What is added is not converted: it is as it is today.
    check(1, json!({ "address": "old", "addr": "new" }), AllAtOnce { days: 30, ..expected() });
    // Nor is what bears the new name already taken for what it was renamed from.
    check(
        1,
        json!({ "address": "old", "due": "abc" }),
        AllAtOnce { address: "NOWHERE".into(), ..expected() },
    );
}

/// Dropped, back, and dropped again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 4, removed(since = 2, "coupon"), upcast(from = 2), removed(since = 4, "coupon"))]
#[serde(deny_unknown_fields)]
#[expect(clippy::duplicated_attributes, reason = "clippy does not see the version behind `since`")]
struct DroppedTwice {
    id: u32,
}

#[test]
fn a_field_may_be_dropped_again_after_it_came_back() {
    for version in [1, 3] {
        check(version, json!({ "id": 1, "coupon": 2 }), DroppedTwice { id: 1 });
    }
    for version in [2, 4] {
        check(version, json!({ "id": 1 }), DroppedTwice { id: 1 });
    }
    check_error::<DroppedTwice>(
        4,
        json!({ "id": 1, "coupon": 2 }),
        "DroppedTwice: unknown field `coupon`, expected `id` at line 1 column 9",
    );
}
