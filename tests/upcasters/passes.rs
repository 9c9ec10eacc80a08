//! However many versions lie between, what is stored is read once.

use std::cell::Cell;

use annals::prelude::*;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use crate::check;

thread_local! {
    static READ: Cell<u32> = const { Cell::new(0) };
    static WRITTEN: Cell<u32> = const { Cell::new(0) };
}

/// Counts how often it is read and written.
#[derive(Debug, Clone, PartialEq)]
struct Watched(String);

impl<'de> Deserialize<'de> for Watched {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        READ.set(READ.get() + 1);
        String::deserialize(deserializer).map(Self)
    }
}

impl Serialize for Watched {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WRITTEN.set(WRITTEN.get() + 1);
        self.0.serialize(serializer)
    }
}

/// How often it was read and written meanwhile.
fn passes(read: impl FnOnce()) -> (u32, u32) {
    READ.set(0);
    WRITTEN.set(0);
    read();
    (READ.get(), WRITTEN.get())
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 5, removed(since = 4, "size"))]
struct Marked {
    #[event(since = 3, renamed_from = "nr")]
    order: Watched,
    #[event(since = 2, default = "EUR")]
    currency: String,
    #[event(since = 5)]
    note: Option<Watched>,
}

#[test]
fn marks_are_folded_into_one_decode() {
    let expected = Marked { order: Watched("7".into()), currency: "EUR".into(), note: None };
    let stored = [
        json!({ "nr": "7", "size": 1 }),
        json!({ "nr": "7", "size": 1, "currency": "EUR" }),
        json!({ "order": "7", "size": 1, "currency": "EUR" }),
        json!({ "order": "7", "currency": "EUR" }),
        json!({ "order": "7", "currency": "EUR" }),
    ];
    for (version, json) in (1..).zip(stored) {
        let passes = passes(|| check(version, json, expected.clone()));
        assert_eq!(passes, (1, 0), "version {version}");
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "Typed")]
struct TypedV1 {
    nr: Watched,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "Typed", version = 2, previous = TypedV1)]
struct TypedV2 {
    order: Watched,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 3, previous = TypedV2)]
struct Typed {
    order: Vec<Watched>,
}

impl From<TypedV1> for TypedV2 {
    fn from(old: TypedV1) -> Self {
        Self { order: old.nr }
    }
}

impl From<TypedV2> for Typed {
    fn from(old: TypedV2) -> Self {
        Self { order: vec![old.order] }
    }
}

#[test]
fn earlier_structs_are_read_once_and_converted() {
    let expected = Typed { order: vec![Watched("7".into())] };
    let stored = [json!({ "nr": "7" }), json!({ "order": "7" }), json!({ "order": ["7"] })];
    for (version, json) in (1..).zip(stored) {
        let passes = passes(|| check(version, json, expected.clone()));
        assert_eq!(passes, (1, 0), "version {version}");
    }
}
