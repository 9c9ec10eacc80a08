//! Types that read only what they like: what can be known of them is known, and the rest is said.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::json;

use crate::check;

#[derive(Deserialize)]
#[serde(try_from = "String")]
#[expect(dead_code, reason = "only read")]
struct Isbn(String);

impl TryFrom<String> for Isbn {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.starts_with("978-") { Ok(Self(text)) } else { Err("an ISBN begins with 978") }
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Book {
    author: String,
    isbn: Isbn,
    #[serde(default)]
    pages: u32,
    title: Option<String>,
}

#[test]
fn a_field_that_accepts_nothing_hides_no_other() {
    let traced = check::<Book>(json!({
        "struct": {
            "author": "string",
            "isbn": "string",
            "pages": "u32",
            "title": { "option": "string" },
        }
    }));
    assert_eq!(traced.opaque.len(), 1);
    assert_eq!(traced.opaque["$.isbn"], "an ISBN begins with 978");
    assert!(traced.samples.is_empty(), "none can be made");
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Shelf {
    books: Vec<Book>,
    best: Option<Book>,
    #[serde(default)]
    worst: Option<Book>,
}

#[test]
fn where_it_can_be_left_out_there_is_a_sample() {
    let traced = check::<Shelf>(json!({
        "struct": {
            "best": { "optional": true, "shape": { "option": book() } },
            "books": { "seq": book() },
            "worst": { "optional": true, "shape": { "option": book() } },
        }
    }));
    assert_eq!(
        traced.opaque.keys().collect::<Vec<_>>(),
        ["$.best.isbn", "$.books[].isbn", "$.worst.isbn"]
    );
    assert_eq!(
        traced.samples,
        [json!({ "books": [], "best": null, "worst": null }), json!({ "books": [] })]
    );
}

fn book() -> serde_json::Value {
    json!({
        "struct": {
            "author": "string",
            "isbn": "string",
            "pages": "u32",
            "title": { "option": "string" },
        }
    })
}

struct Refuses;

impl<'de> Deserialize<'de> for Refuses {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("not today"))
    }
}

struct Reads;

impl<'de> Deserialize<'de> for Reads {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Odd(u8, Refuses, u8);

#[test]
fn what_refuses_before_it_asks_is_opaque() {
    assert_eq!(check::<Refuses>(json!("opaque")).opaque["$"], "not today");
    let traced = check::<Odd>(json!({ "tuple": ["u8", "opaque", "opaque"] }));
    assert_eq!(traced.opaque["$[1]"], "not today");
    assert!(check::<Reads>(json!("any")).opaque.is_empty());
}

/// At least one of two, and a percentage: checked after the struct is read.
#[derive(Deserialize)]
#[serde(try_from = "Unchecked")]
#[expect(dead_code, reason = "only read")]
struct Checked(Unchecked);

#[derive(Deserialize)]
struct Unchecked {
    id: uuid::Uuid,
    percent: u8,
    #[serde(default)]
    lines: Vec<u8>,
}

impl TryFrom<Unchecked> for Checked {
    type Error = String;

    fn try_from(it: Unchecked) -> Result<Self, String> {
        let fits = !it.id.is_nil() && it.percent >= 10 && !it.lines.is_empty();
        if fits { Ok(Self(it)) } else { Err("does not fit".to_owned()) }
    }
}

#[test]
fn what_is_checked_as_a_whole_is_tried_with_other_values() {
    let traced = check::<Checked>(json!({
        "struct": {
            "id": "string",
            "lines": { "optional": true, "shape": { "seq": "u8" } },
            "percent": "u8",
        }
    }));
    assert!(traced.opaque.is_empty(), "{:?}", traced.opaque);
    assert!(!traced.samples.is_empty());
}

struct Panics;

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        assert!(text.starts_with("978-"), "an ISBN begins with 978");
        Ok(Self)
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct HoldsPanics {
    author: String,
    isbn: Panics,
}

#[test]
fn what_panics_at_what_nobody_has_stored_panics_for_nobody() {
    let traced = check::<Panics>(json!("string"));
    assert_eq!(traced.opaque["$"], "its `Deserialize` panics");
    check::<HoldsPanics>(json!({ "struct": { "author": "string", "isbn": "string" } }));
}

/// Panics at what is at the edge, which is found only when samples are made.
#[derive(Deserialize)]
#[serde(from = "i64")]
#[expect(dead_code, reason = "only read")]
struct Cents(i64);

impl From<i64> for Cents {
    fn from(euros: i64) -> Self {
        Self(euros.checked_mul(100).expect("less than all the money"))
    }
}

#[test]
fn what_panics_at_an_edge_has_samples_without_it() {
    let traced = check::<Cents>(json!("i64"));
    assert_eq!(traced.samples[0], json!(1));
    assert!(traced.samples.len() > 1, "near the edge it reads");
    assert!(!traced.samples.contains(&json!(i64::MAX)), "{:?}", traced.samples);
}

struct Fickle;

impl<'de> Deserialize<'de> for Fickle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        if ASKED.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            String::deserialize(deserializer).map(|_| Self)
        } else {
            Vec::<u8>::deserialize(deserializer)?;
            Err(D::Error::missing_field("moods"))
        }
    }
}

#[test]
fn what_asks_for_something_else_each_time_comes_to_an_end() {
    let _ = annals::shape::Shape::of::<Fickle>();
    let _ = annals::shape::Shape::of::<Vec<Fickle>>();
}
