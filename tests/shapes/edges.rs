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
            json!({ "percent": 0, "raw": i32::MIN, "note": "a", "times": 1 }),
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
            json!({ "at": 255, "step": { "Down": { "by": 255, "why": false } } }),
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
        ]
    );
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct HoldsFlattened {
    id: u8,
    #[serde(flatten)]
    kind: Tagged,
}

#[test]
fn a_flattened_enum_has_no_sample_by_the_number_of_a_variant() {
    let traced = Traced::of::<HoldsFlattened>();
    assert_eq!(traced.samples, [] as [Value; 0]);
    assert_eq!(
        traced.opaque["$.kind"],
        "it names a variant, and the fields of each cannot be seen"
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
