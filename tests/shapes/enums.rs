//! Enums, in each way that serde writes them.

use annals::shape::Shape;
use serde::Deserialize;
use serde_json::json;

use crate::{check, check_samples};

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only read")]
enum Payment {
    Cash,
    Card {
        number: String,
        holder: Option<String>,
    },
    Voucher(u64),
    Split(Box<Payment>, Box<Payment>),
    #[serde(rename = "wire")]
    Transfer(Iban),
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Iban(String);

#[test]
fn all_variants_are_seen() {
    check_samples::<Payment>(
        json!({
            "enum": {
                "card": {
                    "struct": {
                        "holder": { "optional": true, "shape": { "option": "string" } },
                        "number": "string",
                    }
                },
                "cash": "unit",
                "split": { "tuple": [{ "recursive": "$" }, "opaque"] },
                "voucher": "u64",
                "wire": "string",
            }
        }),
        &[
            json!("cash"),
            json!({ "card": { "holder": "a", "number": "a" } }),
            json!({ "voucher": 1 }),
            json!({ "wire": "a" }),
        ],
    );
}

#[derive(Deserialize)]
#[serde(tag = "kind")]
#[expect(dead_code, reason = "only read")]
enum Internal {
    Empty,
    Point {
        x: i32,
        name: String,
        #[serde(default)]
        unseen: bool,
    },
    Wrapped(Inner),
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Inner {
    list: Vec<u8>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct HoldsInternal {
    before: u8,
    it: Internal,
    after: u8,
}

#[test]
fn an_enum_with_a_tag_shows_its_variants_and_what_they_have_to_have() {
    let shape = json!({
        "tagged": {
            "tag": "kind",
            "variants": {
                "Empty": { "flattened": {} },
                "Point": { "flattened": { "name": "any", "x": "any" } },
                "Wrapped": { "flattened": { "list": "any" } },
            }
        }
    });
    check_samples::<Internal>(
        shape.clone(),
        &[
            json!({ "kind": "Empty" }),
            json!({ "kind": "Point", "x": 1, "name": "a" }),
            json!({ "kind": "Wrapped", "list": [] }),
        ],
    );
    check_samples::<HoldsInternal>(
        json!({ "struct": { "after": "u8", "before": "u8", "it": shape } }),
        &[
            json!({ "before": 1, "after": 1, "it": { "kind": "Empty" } }),
            json!({ "before": 1, "after": 1, "it": { "kind": "Point", "x": 1, "name": "a" } }),
            json!({ "before": 1, "after": 1, "it": { "kind": "Wrapped", "list": [] } }),
        ],
    );
}

#[derive(Deserialize)]
#[serde(tag = "type", content = "content")]
#[expect(dead_code, reason = "only read")]
enum Adjacent {
    Empty,
    Number(u32),
    Maybe(Option<u8>),
    Point { x: i32, y: Option<i32> },
    Pair(String, bool),
}

#[test]
fn an_enum_with_tag_and_content_shows_both() {
    check_samples::<Adjacent>(
        json!({
            "tagged": {
                "tag": "type",
                "content": "content",
                "variants": {
                    "Empty": "unit",
                    "Maybe": { "option": "u8" },
                    "Number": "u32",
                    "Pair": { "tuple": ["string", "bool"] },
                    "Point": { "flattened": { "x": "i32" } },
                }
            }
        }),
        &[
            json!({ "type": "Empty", "content": null }),
            json!({ "type": "Number", "content": 1 }),
            json!({ "type": "Maybe", "content": 1 }),
            json!({ "type": "Point", "content": { "x": 1 } }),
            json!({ "type": "Pair", "content": ["a", false] }),
            json!({ "type": "Empty" }),
        ],
    );
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only read")]
enum Untagged {
    Number(u64),
    Text(String),
}

#[test]
fn an_untagged_enum_is_anything() {
    check_samples::<Untagged>(json!("any"), &[json!("a"), json!(1)]);
    check_samples::<Vec<Untagged>>(json!({ "seq": "any" }), &[json!(["a"]), json!([]), json!([1])]);
}

#[derive(Deserialize)]
enum Never {}

#[test]
fn an_enum_without_variants_has_no_samples() {
    let traced = check::<Never>(json!({ "enum": {} }));
    assert_eq!(traced.opaque["$"], "it has no variants");
    let traced = check::<Option<Never>>(json!({ "option": { "enum": {} } }));
    assert_eq!(traced.samples, [json!(null)]);
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct HoldsFlattened {
    id: u8,
    #[serde(flatten)]
    it: Internal,
}

#[test]
fn a_flattened_enum_with_a_tag_shows_what_stands_beside_it() {
    let traced = check::<HoldsFlattened>(json!({
        "tagged": {
            "tag": "kind",
            "variants": {
                "Empty": { "flattened": { "id": "u8" } },
                "Point": { "flattened": { "id": "u8", "name": "any", "x": "any" } },
                "Wrapped": { "flattened": { "id": "u8", "list": "any" } },
            }
        }
    }));
    for made in [
        json!({ "kind": "Empty", "id": 1 }),
        json!({ "kind": "Point", "id": 2, "x": 1, "name": "a" }),
        json!({ "kind": "Wrapped", "id": 100, "list": [] }),
    ] {
        assert!(traced.samples.contains(&made), "{:?}", traced.samples);
    }
    // By serde, the number of a variant would do; nobody has stored one.
    assert!(traced.samples.iter().all(|sample| sample["kind"].is_string()), "{:?}", traced.samples);
}

mod changed_beside_the_tag {
    use super::*;

    #[derive(Deserialize)]
    #[serde(tag = "kind")]
    #[expect(dead_code, reason = "only read")]
    pub enum Kind {
        Empty,
        Point { x: i32, label: String },
        Wrapped(Inner),
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read")]
    pub struct Holds {
        id: u8,
        #[serde(flatten)]
        it: Kind,
    }
}

#[test]
fn what_changes_beside_a_flattened_tag_has_another_fingerprint() {
    let (before, after) =
        (Shape::of::<HoldsFlattened>(), Shape::of::<changed_beside_the_tag::Holds>());
    assert_ne!(before.fingerprint(), after.fingerprint());
}

#[derive(Deserialize)]
enum Closed {
    Up,
    Unknown,
}

#[derive(Deserialize)]
enum Open {
    Up,
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
#[serde(tag = "kind")]
enum OpenTagged {
    Up,
    #[serde(other)]
    Unknown,
}

#[test]
fn an_enum_that_takes_any_other_name_says_so() {
    check::<Closed>(json!({ "enum": { "Up": "unit", "Unknown": "unit" } }));
    let traced = check::<Open>(json!({ "enum": { "Up": "unit", "Unknown": "unit", "*": "unit" } }));
    assert!(traced.samples.contains(&json!("*")), "{:?}", traced.samples);
    // It never says which names it knows.
    check::<OpenTagged>(json!({ "flattened": { "kind": "string" } }));
}
