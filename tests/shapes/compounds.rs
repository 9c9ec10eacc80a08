//! Structs, options, lists, maps, tuples, and what contains itself.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use serde_json::json;

use crate::{check, check_samples};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only read")]
struct Order {
    order_id: u64,
    #[serde(rename = "to")]
    shipping_address: Address,
    lines: Vec<Line>,
    note: Option<String>,
    #[serde(default)]
    gift: bool,
    #[serde(default)]
    coupon: Option<String>,
    #[serde(skip)]
    cache: u8,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Address {
    street: String,
    #[serde(alias = "zip", alias = "plz")]
    postcode: String,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Line(String, u32);

#[test]
fn a_struct_with_all_that_serde_may_say_of_fields() {
    check_samples::<Order>(
        json!({
            "struct": {
                "coupon": { "optional": true, "shape": { "option": "string" } },
                "gift": { "optional": true, "shape": "bool" },
                "lines": { "seq": { "tuple": ["string", "u32"] } },
                "note": { "optional": true, "shape": { "option": "string" } },
                "orderId": "u64",
                "to": {
                    "struct": {
                        "postcode": { "aliases": ["plz", "zip"], "shape": "string" },
                        "street": "string",
                    }
                },
            }
        }),
        &[
            json!({
                "coupon": "a",
                "gift": false,
                "lines": [["a", 1]],
                "note": "a",
                "orderId": 1,
                "to": { "postcode": "a", "street": "a" },
            }),
            json!({ "lines": [], "orderId": 1, "to": { "postcode": "a", "street": "a" } }),
        ],
    );
}

#[derive(Deserialize)]
struct Nothing;

#[derive(Deserialize)]
struct Empty {}

#[derive(Deserialize)]
#[serde(transparent)]
#[expect(dead_code, reason = "only read")]
struct Transparent {
    inner: i64,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Newtype(Transparent);

#[test]
fn scalars_and_what_only_wraps_them() {
    check_samples::<bool>(json!("bool"), &[json!(false)]);
    check_samples::<u128>(json!("u128"), &[json!(1)]);
    check_samples::<i128>(json!("i128"), &[json!(1)]);
    check_samples::<f32>(json!("f32"), &[json!(0.5)]);
    check_samples::<char>(json!("char"), &[json!("a")]);
    check_samples::<()>(json!("unit"), &[json!(null)]);
    check_samples::<Nothing>(json!("unit"), &[json!(null)]);
    check_samples::<Empty>(json!({ "struct": {} }), &[json!({})]);
    check_samples::<Box<Newtype>>(json!("i64"), &[json!(1)]);
    check_samples::<Option<Option<u8>>>(
        json!({ "option": { "option": "u8" } }),
        &[json!(1), json!(null)],
    );
    check_samples::<uuid::Uuid>(json!("string"), &[json!("00000000-0000-4000-8000-000000000001")]);
    check_samples::<annals::Timestamp>(json!("string"), &[json!("2000-01-01T00:00:00Z")]);
    check_samples::<std::net::IpAddr>(json!("string"), &[json!("127.0.0.1")]);
    check_samples::<std::num::NonZeroU32>(json!("u32"), &[json!(1)]);
}

#[test]
fn lists_and_maps() {
    check_samples::<HashSet<String>>(json!({ "seq": "string" }), &[json!(["a"]), json!([])]);
    check_samples::<[u8; 3]>(json!({ "array": ["u8", 3] }), &[json!([1, 1, 1])]);
    check_samples::<(u8, String)>(json!({ "tuple": ["u8", "string"] }), &[json!([1, "a"])]);
    check_samples::<HashMap<String, Vec<u8>>>(
        json!({ "map": { "key": "string", "value": { "seq": "u8" } } }),
        &[json!({ "a": [1] }), json!({})],
    );
    check_samples::<BTreeMap<u64, bool>>(
        json!({ "map": { "key": "u64", "value": "bool" } }),
        &[json!({ "1": false }), json!({})],
    );
    check_samples::<serde_json::Value>(
        json!("any"),
        &[json!({}), json!(null), json!("a"), json!(1), json!(0.5), json!(true), json!([])],
    );
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Tree {
    leaf: Leaf<u8>,
    children: Vec<Tree>,
    parent: Option<Box<Tree>>,
    by_name: HashMap<String, Tree>,
    other: Leaf<String>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Leaf<T> {
    value: T,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Nested(Vec<Nested>);

#[test]
fn what_contains_itself_is_cut() {
    check_samples::<Tree>(
        json!({
            "struct": {
                "by_name": { "map": { "key": "string", "value": { "recursive": "$" } } },
                "children": { "seq": { "recursive": "$" } },
                "leaf": { "struct": { "value": "u8" } },
                "other": { "struct": { "value": "string" } },
                "parent": { "optional": true, "shape": { "option": { "recursive": "$" } } },
            }
        }),
        &[
            json!({
                "by_name": {},
                "children": [],
                "leaf": { "value": 1 },
                "other": { "value": "a" },
                "parent": null,
            }),
            json!({ "by_name": {}, "children": [], "leaf": { "value": 1 }, "other": { "value": "a" } }),
        ],
    );
    check_samples::<Nested>(json!({ "seq": { "recursive": "$" } }), &[json!([])]);
    check_samples::<Vec<Tree>>(
        json!({ "seq": { "struct": {
            "by_name": { "map": { "key": "string", "value": { "recursive": "$[]" } } },
            "children": { "seq": { "recursive": "$[]" } },
            "leaf": { "struct": { "value": "u8" } },
            "other": { "struct": { "value": "string" } },
            "parent": { "optional": true, "shape": { "option": { "recursive": "$[]" } } },
        } } }),
        &[
            json!([{
                "by_name": {},
                "children": [],
                "leaf": { "value": 1 },
                "other": { "value": "a" },
                "parent": null,
            }]),
            json!([]),
        ],
    );
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Flattening {
    id: u64,
    #[serde(flatten)]
    page: Page,
    #[serde(flatten)]
    rest: HashMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Page {
    number: u32,
    title: String,
    #[serde(default)]
    unseen: bool,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct AllOptional {
    #[serde(flatten)]
    rest: HashMap<String, String>,
}

/// Its field is called as the text that is made up first.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Probed {
    a: u32,
    unseen: Option<u8>,
    #[serde(flatten)]
    rest: BTreeMap<String, u32>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read")]
struct OfLetters {
    kind: Letter,
    #[serde(flatten)]
    rest: BTreeMap<String, u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Letter {
    A,
    B,
}

#[test]
fn flattened_fields_are_seen_where_they_have_to_be_there() {
    check::<Flattening>(json!({ "flattened": { "id": "u64", "number": "any", "title": "any" } }));
    assert_eq!(
        annals::shape::Traced::of::<Flattening>().samples,
        [
            json!({ "id": 2, "number": 1, "title": "a" }),
            json!({ "id": u64::MAX, "number": u32::MAX, "title": "two words" }),
            json!({ "id": 0, "number": 0, "title": "" }),
        ]
    );
    check::<AllOptional>(json!({ "map": { "key": "string", "value": "any" } }));
}

#[test]
fn no_field_is_taken_for_any_key_and_no_variant_for_any_name() {
    check::<Probed>(json!({ "flattened": { "a": "u32" } }));
    check::<OfLetters>(
        json!({ "flattened": { "kind": { "enum": { "a": "unit", "b": "unit" } } } }),
    );
}
