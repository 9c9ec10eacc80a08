//! What changed inside of a field: how it is told, and whether what was stored fits in as it is.

use std::collections::BTreeMap;

use annals::prelude::*;
use annals_testing::schema::Schema;
use serde::{Deserialize, Serialize};

/// What an event holds, in two releases.
macro_rules! held {
    ($($module:ident $before:ty => $after:ty;)*) => {$(
        mod $module {
            use super::*;

            pub mod before {
                use super::*;

                #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
                pub struct Held {
                    pub value: $before,
                }
            }

            pub mod after {
                use super::*;

                #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
                pub struct Held {
                    pub value: $after,
                }
            }
        }
    )*};
}

/// Enums and structs that an event holds.
macro_rules! types {
    ($([$($serde:tt)*] $kind:ident $name:ident { $($inside:tt)* })*) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde($($serde)*)]
        pub $kind $name {
            $($inside)*
        }
    )*};
}

types! {
    [tag = "by", content = "with"] enum Way { Post(u8), Courier(u32) }
    [tag = "by", content = "with"] enum WiderWay { Post(u16), Courier(u64) }
    [tag = "by", content = "with"] enum MoreWays { Post(u8), Courier(u32), Pigeon }
    [tag = "how", content = "with"] enum TagRenamed { Post(u8), Courier(u32) }
    [tag = "by", content = "by_what"] enum ContentRenamed { Post(u8), Courier(u32) }
    [] struct Aliased { #[serde(alias = "nr")] number: u32 }
    [] struct Plain { number: u32 }
}

held! {
    map BTreeMap<u8, u8> => BTreeMap<u8, u16>;
    map_key BTreeMap<u8, u8> => BTreeMap<u16, u8>;
    tuple (u8, String) => (u16, String);
    longer (u8, String) => (u8, String, u8);
    tagged Way => WiderWay;
    variant Way => MoreWays;
    tag Way => TagRenamed;
    content Way => ContentRenamed;
    letter char => String;
    fraction f32 => f64;
    alias Plain => Aliased;
}

fn one<E: Event>() -> Schema {
    Schema::new().with_event::<E>()
}

/// Checks what is said of a change, there and back: that nothing has to be done, or that the value is converted.
#[track_caller]
fn check_held<Before: Event, After: Event>(is_for_nothing: bool, changed: &[&str]) {
    let found = one::<After>().held_against(&one::<Before>().to_file());
    assert_eq!(found.findings.len(), 1, "{found}");
    assert_eq!(found.findings[0].changed, changed);
    let nothing = ["#[event(version = 2, upcast(from = 1))] on `Held`"];
    let converted = [
        "#[event(version = 2)] on `Held`",
        "#[event(since = 2, convert_with = path::to::a_function)] on the field `value`",
    ];
    let expected: &[&str] = if is_for_nothing { &nothing } else { &converted };
    assert_eq!(found.findings[0].write, expected);
}

/// Checks a change that needs nothing, and that the way back needs a function.
macro_rules! check_wider {
    ($module:ident, $there:expr, $back:expr) => {
        check_held::<$module::before::Held, $module::after::Held>(true, $there);
        check_held::<$module::after::Held, $module::before::Held>(false, $back);
    };
}

#[test]
fn what_became_wider_inside_needs_nothing() {
    check_wider!(map, &["`$.value{}` was u8, is u16"], &["`$.value{}` was u16, is u8"]);
    let (narrow, wide) = (
        "{\"map\":{\"key\":\"u8\",\"value\":\"u8\"}}",
        "{\"map\":{\"key\":\"u16\",\"value\":\"u8\"}}",
    );
    let changed = |before, after| format!("`$.value` was {before}, is {after}");
    check_wider!(map_key, &[&changed(narrow, wide)], &[&changed(wide, narrow)]);
    let (narrow, wide) = ("{\"tuple\":[\"u8\",\"string\"]}", "{\"tuple\":[\"u16\",\"string\"]}");
    check_wider!(tuple, &[&changed(narrow, wide)], &[&changed(wide, narrow)]);
    check_wider!(letter, &["`$.value` was char, is string"], &["`$.value` was string, is char"]);
    check_wider!(fraction, &["`$.value` was f32, is f64"], &["`$.value` was f64, is f32"]);
    check_wider!(
        tagged,
        &["`$.value.Courier` was u32, is u64", "`$.value.Post` was u8, is u16"],
        &["`$.value.Courier` was u64, is u32", "`$.value.Post` was u16, is u8"]
    );
    check_wider!(
        variant,
        &["variant `$.value.Pigeon` is new"],
        &["variant `$.value.Pigeon` is gone"]
    );
}

#[test]
fn what_became_something_else_inside_needs_a_function() {
    let lengths = [
        "`$.value` was {\"tuple\":[\"u8\",\"string\"]}, is {\"tuple\":[\"u8\",\"string\",\"u8\"]}",
    ];
    check_held::<longer::before::Held, longer::after::Held>(false, &lengths);
    let tagged = |by: &str, with: &str| {
        let variants = r#"{"Courier":"u32","Post":"u8"}"#;
        format!(r#"{{"tagged":{{"content":"{with}","tag":"{by}","variants":{variants}}}}}"#)
    };
    let before = tagged("by", "with");
    let changed = format!("`$.value` was {before}, is {}", tagged("how", "with"));
    check_held::<tag::before::Held, tag::after::Held>(false, &[&changed]);
    let changed = format!("`$.value` was {before}, is {}", tagged("by", "by_what"));
    check_held::<content::before::Held, content::after::Held>(false, &[&changed]);
}

#[test]
fn names_that_are_read_too_are_told() {
    check_held::<alias::before::Held, alias::after::Held>(
        true,
        &["`$.value.number` is read as `nr`, too"],
    );
    // Each version writes the field's own name.
    check_held::<alias::after::Held, alias::before::Held>(
        true,
        &["`$.value.number` is not read as `nr` any more"],
    );
}
