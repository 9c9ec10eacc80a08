//! Samples at the edges of what a type takes: what a later release takes less of does not read them.

use annals::shape::Traced;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn samples<T: DeserializeOwned>() -> Vec<Value> {
    Traced::of::<T>().samples
}

/// Checks that a type that takes less does not read all samples of another.
#[track_caller]
fn check_narrowing<Before: DeserializeOwned, After: DeserializeOwned>() {
    let samples = samples::<Before>();
    let reads = |sample: &Value| After::deserialize(sample).is_ok();
    assert!(!samples.iter().all(reads), "all of {samples:?} are read");
}

#[test]
fn a_narrower_type_does_not_read_them() {
    check_narrowing::<i64, u64>();
    check_narrowing::<u64, i64>();
    check_narrowing::<u64, u8>();
    check_narrowing::<u32, u8>();
    check_narrowing::<u8, i8>();
    check_narrowing::<i128, u128>();
    check_narrowing::<i128, i64>();
    check_narrowing::<f64, i64>();
    check_narrowing::<String, char>();
    check_narrowing::<Option<String>, String>();
    check_narrowing::<Vec<Option<u8>>, Vec<u8>>();
    check_narrowing::<(String, u16), (String, i16)>();
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Reading {
    percent: Percent,
    raw: i32,
    note: Option<String>,
    times: std::num::NonZeroU8,
}

#[derive(Deserialize)]
#[serde(try_from = "u8")]
#[expect(dead_code, reason = "only read")]
struct Percent(u8);

impl TryFrom<u8> for Percent {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        if number <= 100 { Ok(Self(number)) } else { Err("more than all") }
    }
}

#[test]
fn what_takes_no_edge_hides_no_other() {
    assert_eq!(
        samples::<Reading>(),
        [
            json!({ "percent": 1, "raw": 1, "note": "a", "times": 1 }),
            json!({ "percent": 1, "raw": 1, "times": 1 }),
            json!({ "percent": 1, "raw": 1, "note": null, "times": 1 }),
            json!({ "percent": 1, "raw": i32::MAX, "note": "two words", "times": u8::MAX }),
            json!({ "percent": 0, "raw": i32::MIN, "note": "", "times": 1 }),
        ]
    );
}

#[test]
fn both_truths_and_what_is_empty_are_shown() {
    assert_eq!(samples::<bool>(), [json!(false), json!(true)]);
    assert_eq!(samples::<f64>(), [json!(0.5), json!(0.0)]);
    assert_eq!(samples::<String>(), [json!("a"), json!("two words"), json!("")]);
    let of_any = samples::<Value>();
    for edge in [json!(true), json!(false), json!(0.0), json!("")] {
        assert!(of_any.contains(&edge), "{edge} in {of_any:?}");
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Named {
    name: NotEmpty,
    agreed: bool,
    rate: f32,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
#[expect(dead_code, reason = "only read")]
struct NotEmpty(String);

impl TryFrom<String> for NotEmpty {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() { Err("empty") } else { Ok(Self(text)) }
    }
}

#[test]
fn what_takes_no_empty_text_hides_no_other_edge() {
    assert_eq!(
        samples::<Named>(),
        [
            json!({ "name": "a", "agreed": false, "rate": 0.5 }),
            json!({ "name": "two words", "agreed": true, "rate": 0.5 }),
            json!({ "name": "a", "agreed": false, "rate": 0.0 }),
        ]
    );
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Aliased {
    #[serde(alias = "sum", alias = "total")]
    amount: u8,
    #[serde(alias = "money", default)]
    unit: Option<String>,
    lines: Vec<Line>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Line {
    #[serde(alias = "item")]
    article: u8,
}

#[test]
fn each_alias_has_a_sample() {
    let traced = Traced::of::<Aliased>();
    let by_aliases: Vec<_> =
        traced.samples.into_iter().filter(|sample| sample.get("amount").is_none()).collect();
    assert_eq!(
        by_aliases,
        [
            json!({ "sum": 1, "money": "a", "lines": [{ "item": 1 }] }),
            json!({ "total": 1, "unit": "a", "lines": [{ "article": 1 }] }),
        ]
    );
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
enum Step {
    Up { by: u8 },
    Down { by: u8, why: Option<bool> },
    Stay,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Stepped {
    at: u8,
    step: Step,
}

#[test]
fn each_variant_has_its_own_and_repeats_nothing_around_it() {
    assert_eq!(
        samples::<Stepped>(),
        [
            json!({ "at": 1, "step": { "Up": { "by": 1 } } }),
            json!({ "at": 1, "step": { "Down": { "by": 1, "why": false } } }),
            json!({ "at": 1, "step": "Stay" }),
            json!({ "at": 1, "step": { "Down": { "by": 1, "why": null } } }),
            json!({ "at": 255, "step": { "Up": { "by": 255 } } }),
            json!({ "at": 255, "step": { "Down": { "by": 255, "why": true } } }),
            json!({ "at": 0, "step": { "Up": { "by": 0 } } }),
            json!({ "at": 0, "step": { "Down": { "by": 0, "why": false } } }),
        ]
    );
}

#[derive(Deserialize)]
#[serde(tag = "kind")]
#[expect(dead_code, reason = "only read")]
enum Tagged {
    Wide { number: u32 },
    Named { name: String },
}

#[test]
fn beside_a_tag_they_are_found_by_trying() {
    assert_eq!(
        samples::<Tagged>(),
        [
            json!({ "kind": "Wide", "number": 1 }),
            json!({ "kind": "Named", "name": "a" }),
            json!({ "kind": "Wide", "number": u32::MAX }),
            json!({ "kind": "Named", "name": "two words" }),
            json!({ "kind": "Wide", "number": 0 }),
            json!({ "kind": "Named", "name": "" }),
        ]
    );
}

macro_rules! letters {
    ($($variant:ident)*) => {
        #[derive(Deserialize)]
        enum Letter {
            $($variant,)*
        }
    };
}

letters!(A B C D E F G H I J K L M N O P Q R S T U V W X Y Z Aa Ab Ac Ad Ae Af Ag Ah);

#[test]
fn each_variant_of_a_large_enum_has_a_sample() {
    let samples = samples::<Letter>();
    assert_eq!(samples.len(), 34);
    assert_eq!(samples.last(), Some(&json!("Ah")));
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
enum Outer {
    Left(Inner),
    Right(Inner),
    Middle,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
enum Inner {
    One,
    Two,
    Three { deeper: Deeper },
}

#[derive(Deserialize)]
enum Deeper {
    Yes,
    No,
}

#[test]
fn enums_inside_the_variants_of_another_show_all_of_theirs() {
    let of = |outer: &str| {
        [
            json!({ outer: "One" }),
            json!({ outer: "Two" }),
            json!({ outer: { "Three": { "deeper": "Yes" } } }),
            json!({ outer: { "Three": { "deeper": "No" } } }),
        ]
    };
    let expected = [&of("Left")[..], &of("Right"), &[json!("Middle")]].concat();
    assert_eq!(samples::<Outer>(), expected);
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only read")]
enum NumberOrText {
    Number(u64),
    Text(String),
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Labelled {
    label: NumberOrText,
    other: NumberOrText,
    picky: char,
}

#[test]
fn what_is_read_in_several_ways_shows_each() {
    assert_eq!(
        samples::<NumberOrText>(),
        [json!("a"), json!(1), json!("two words"), json!(u64::MAX), json!(""), json!(0)]
    );
    let samples = samples::<Labelled>();
    for label in [json!("a"), json!(1), json!("two words"), json!(u64::MAX)] {
        assert!(samples.iter().any(|sample| sample["label"] == label), "{label} in {samples:?}");
        assert!(samples.iter().any(|sample| sample["other"] == label), "{label} in {samples:?}");
    }
    check_narrowing::<NumberOrText, String>();
    check_narrowing::<NumberOrText, u64>();
    check_narrowing::<Value, Option<String>>();
}

#[test]
fn what_a_value_cannot_hold_is_shown_as_text() {
    assert_eq!(Traced::of::<u128>().beyond, ["340282366920938463463374607431768211455"]);
    let traced = Traced::of::<(u8, Option<i128>, u128)>();
    assert_eq!(
        traced.beyond,
        [
            "[1,170141183460469231731687303715884105727,340282366920938463463374607431768211455]",
            "[1,-170141183460469231731687303715884105728,0]",
        ]
    );
    for text in &traced.beyond {
        assert!(serde_json::from_str::<(u8, Option<i128>, u128)>(text).is_ok(), "{text}");
        assert!(serde_json::from_str::<(u8, Option<i64>, u64)>(text).is_err(), "{text}");
    }
    assert!(Traced::of::<(u64, String)>().beyond.is_empty());
}
