//! `since` on an `Option`: where it is absent, it is `None`, whatever serde's default says.

use annals::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::check;

type Maybe<T> = Option<T>;

fn seven<T: From<u8>>() -> T {
    7.into()
}

fn some_seven() -> Option<u8> {
    Some(7)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 3)]
#[serde(default)]
struct Limited {
    id: u32,
    #[event(since = 2)]
    limit: Option<u32>,
    #[serde(default = "some_seven", alias = "week")]
    #[event(since = 3)]
    days: Maybe<u8>,
    #[event(since = 2)]
    count: u32,
    #[serde(default = "seven")]
    #[event(since = 3)]
    hours: u32,
    #[serde(default)]
    #[event(since = 3)]
    note: Option<String>,
}

impl Default for Limited {
    fn default() -> Self {
        Self { id: 9, limit: Some(100), days: None, count: 3, hours: 1, note: Some("none".into()) }
    }
}

#[test]
fn it_is_none_before_it_came() {
    let first = Limited { id: 1, limit: None, days: None, count: 3, hours: 7, note: None };
    check(1, json!({ "id": 1 }), first.clone());
    check(1, json!({ "id": 1, "week": 5 }), Limited { days: Some(5), ..first.clone() });
    check(1, json!({ "id": 1, "limit": 5 }), Limited { limit: Some(5), ..first.clone() });
    // From then on, what is absent is what serde says.
    check(2, json!({ "id": 1 }), Limited { limit: Some(100), ..first.clone() });
    let third = Limited { limit: Some(100), days: Some(7), ..first };
    check(3, json!({ "id": 1 }), third);
}
