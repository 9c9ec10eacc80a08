//! `readable_from`: readers of each version that it names read what is stored today, and lose nothing of what they know.

use std::collections::BTreeMap;

use annals::prelude::*;
use annals_testing::schema::{Finding, FindingKind, Schema, SchemaFile};
use serde::{Deserialize, Serialize};

use crate::check;

/// An event `Placed` of one release: what its attribute says, and its fields.
macro_rules! placed {
    ($module:ident [$($option:tt)*] { $($field:tt)* }) => {
        mod $module {
            use super::*;

            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
            #[event($($option)*)]
            pub struct Placed {
                $($field)*
            }
        }
    };
}

placed!(first [version = 1] { pub order: String, pub note: Option<String>, pub size: u32 });
placed!(grown [version = 2, readable_from = 1] {
    pub order: String,
    pub note: Option<String>,
    pub size: u32,
    #[event(since = 2)]
    pub coupon: Option<String>,
});
placed!(rewritten [version = 2, readable_from = 1] {
    pub order: String,
    #[serde(alias = "note")]
    pub remark: Option<String>,
    pub size: u64,
    #[event(since = 2)]
    pub coupon: Option<String>,
});
placed!(rewritten_for_itself [version = 2] {
    pub order: String,
    #[serde(alias = "note")]
    pub remark: Option<String>,
    pub size: u64,
    #[event(since = 2)]
    pub coupon: Option<String>,
});
placed!(without_order [version = 2, readable_from = 1] {
    #[serde(default)]
    pub note: Option<String>,
    pub size: u32,
    #[event(since = 2)]
    pub coupon: Option<String>,
});
placed!(third [version = 3, readable_from = 2] {
    pub order: String,
    pub size: u32,
    #[event(since = 2)]
    pub coupon: Option<String>,
    #[event(since = 3)]
    pub gift: Option<bool>,
});
placed!(third_for_all [version = 3, readable_from = 1] {
    pub order: String,
    pub size: u32,
    #[event(since = 2)]
    pub coupon: Option<String>,
    #[event(since = 3)]
    pub gift: Option<bool>,
});
placed!(seldom_written [version = 2, readable_from = 1] {
    pub order: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub size: u32,
    #[event(since = 2)]
    pub coupon: Option<String>,
});
placed!(note_seldom_written [version = 2, readable_from = 1] {
    pub order: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub size: u32,
    #[event(since = 2)]
    pub coupon: Option<String>,
});
placed!(written_as_before [version = 2, readable_from = 1] {
    pub order: String,
    #[serde(rename(serialize = "note", deserialize = "remark"), alias = "note")]
    pub remark: Option<String>,
    pub size: u16,
    #[event(since = 2)]
    pub coupon: Option<String>,
});
placed!(written_otherwise [version = 2, readable_from = 1] {
    pub order: String,
    #[serde(rename(serialize = "remark", deserialize = "note"), alias = "remark")]
    pub note: Option<String>,
    pub size: u32,
    #[event(since = 2)]
    pub coupon: Option<String>,
});

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn one<E: Event>() -> Schema {
    Schema::new().with_event::<E>()
}

/// What is said of the readers of the release before; whether today's reads what it stored is another question.
fn said<Before: Event, After: Event>() -> Vec<Finding> {
    let found = one::<After>().held_against(&one::<Before>().to_file()).findings;
    found.into_iter().filter(|found| found.kind == FindingKind::NotReadableFrom).collect()
}

/// Checks that readers of the release before lose nothing.
#[track_caller]
fn check_reads<Before: Event, After: Event>() {
    assert_eq!(said::<Before, After>(), []);
}

/// Checks what readers of the release before cannot read, or lose.
#[track_caller]
fn check_loses<Before: Event, After: Event>(changed: &[&str]) {
    let said = said::<Before, After>();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].changed, changed);
}

#[test]
fn what_readers_of_an_earlier_version_do_not_read_is_told() {
    check(
        &one::<first::Placed>(),
        &one::<rewritten::Placed>(),
        FindingKind::NotReadableFrom,
        "event `Placed`: `readable_from = 1` is not so, for readers of version 1
    changed: version 1: `$.note` is not written any more: they take it as absent
             version 1: `$.size` was u32, is u64
    breaks:  no history, but programs of version 1 refuse or misread what is stored from now on
    write:   #[event(readable_from = 2)] on `Placed`
             or the fields that readers of version 1 know, as they were, and what is new beside them",
    );
    check_reads::<first::Placed, rewritten_for_itself::Placed>();
    check_reads::<first::Placed, grown::Placed>();
}

#[test]
fn what_is_gone_is_missed_by_who_needs_it() {
    check_loses::<first::Placed, without_order::Placed>(&[
        "version 1: `$.order` is not written any more: they do not read without it",
    ]);
}

#[test]
fn each_version_that_is_kept_has_its_readers() {
    let kept = one::<grown::Placed>().held_against(&one::<first::Placed>().to_file()).accepted;
    let readers = |schema: Schema, kept: &SchemaFile| {
        let found = schema.held_against(kept).findings;
        let found = found.into_iter().find(|found| found.kind == FindingKind::NotReadableFrom);
        found.map(|found| (found.headline, found.changed, found.write))
    };
    let line = |version| {
        format!("version {version}: `$.note` is not written any more: they take it as absent")
    };
    let (headline, changed, write) = readers(one::<third::Placed>(), &kept).unwrap();
    assert_eq!(headline, "event `Placed`: `readable_from = 2` is not so, for readers of version 2");
    assert_eq!(changed, [line(2)]);
    assert_eq!(write[0], "#[event(readable_from = 3)] on `Placed`");
    let (headline, changed, _) = readers(one::<third_for_all::Placed>(), &kept).unwrap();
    assert_eq!(
        headline,
        "event `Placed`: `readable_from = 1` is not so, for readers of versions 1 and 2"
    );
    assert_eq!(changed, [line(1), line(2)]);
}

#[test]
fn names_are_those_that_are_written() {
    check_reads::<first::Placed, written_as_before::Placed>();
    check_loses::<first::Placed, written_otherwise::Placed>(&[
        "version 1: `$.note` is not written any more: they take it as absent",
    ]);
}

#[test]
fn what_is_not_always_written_is_missed_by_who_needs_it() {
    check_loses::<first::Placed, seldom_written::Placed>(&[
        "version 1: `$.size` is not always written: they do not read without it",
    ]);
    check_reads::<first::Placed, note_seldom_written::Placed>();
}

/// What stands inside an event, in two releases.
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
                #[event(version = 2, readable_from = 1)]
                pub struct Held {
                    pub value: $after,
                    #[event(since = 2)]
                    pub coupon: Option<String>,
                }
            }
        }
    )*};
}

/// Types that stand inside an event.
macro_rules! types {
    ($($name:ident { $($field:tt)* })*) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            $($field)*
        }
    )*};
}

types! {
    Plain { pub sku: String, pub count: u16 }
    Narrow { pub sku: String, pub count: u8 }
    More { pub sku: String, pub count: u16, #[serde(default)] pub gift: bool }
    Less { pub sku: String }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Way {
    Post,
    Courier { number: u32 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum OneWay {
    Post,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum MoreWays {
    Post,
    Pigeon,
    Courier { number: u32, name: Option<String> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", content = "with")]
pub enum Tagged {
    Post,
    Courier { number: u32 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", content = "with")]
pub enum TaggedMore {
    Post,
    Courier { number: u64 },
    Pigeon,
}

held! {
    struct_grew Plain => More;
    struct_lost Plain => Less;
    list_grew Vec<Plain> => Vec<More>;
    list_lost Vec<Plain> => Vec<Less>;
    option_narrowed Option<Plain> => Option<Narrow>;
    option_lost Option<Plain> => Option<Less>;
    option_gone Option<Plain> => Plain;
    option_new Plain => Option<Plain>;
    map_lost BTreeMap<String, Plain> => BTreeMap<String, Less>;
    map_key_wider BTreeMap<u8, u8> => BTreeMap<u16, u8>;
    tuple_lost (u8, Plain) => (u8, Less);
    tuple_longer (u8, u8) => (u8, u8, u8);
    array_narrowed [u16; 2] => [u8; 2];
    array_to_list Vec<u16> => [u8; 2];
    list_to_array [u8; 2] => Vec<u8>;
    variants Way => MoreWays;
    tagged Tagged => TaggedMore;
    anything serde_json::Value => Plain;
    variant_gone Way => OneWay;
    digits f32 => u32;
    whole_to_fraction f64 => u32;
}

#[test]
fn what_is_inside_is_read_too() {
    check_reads::<variant_gone::before::Held, variant_gone::after::Held>();
    check_reads::<whole_to_fraction::before::Held, whole_to_fraction::after::Held>();
    check_reads::<struct_grew::before::Held, struct_grew::after::Held>();
    check_reads::<list_grew::before::Held, list_grew::after::Held>();
    check_reads::<option_narrowed::before::Held, option_narrowed::after::Held>();
    check_reads::<option_gone::before::Held, option_gone::after::Held>();
    check_reads::<array_narrowed::before::Held, array_narrowed::after::Held>();
    check_reads::<array_to_list::before::Held, array_to_list::after::Held>();
    check_reads::<anything::before::Held, anything::after::Held>();
}

#[test]
fn what_is_inside_is_lost_too() {
    let gone = |path: &str| {
        format!("version 1: `{path}.count` is not written any more: they do not read without it")
    };
    check_loses::<struct_lost::before::Held, struct_lost::after::Held>(&[&gone("$.value")]);
    check_loses::<list_lost::before::Held, list_lost::after::Held>(&[&gone("$.value[]")]);
    check_loses::<option_lost::before::Held, option_lost::after::Held>(&[&gone("$.value")]);
    check_loses::<map_lost::before::Held, map_lost::after::Held>(&[&gone("$.value{}")]);
    check_loses::<tuple_lost::before::Held, tuple_lost::after::Held>(&[&gone("$.value[1]")]);
    check_loses::<map_key_wider::before::Held, map_key_wider::after::Held>(&[
        "version 1: `$.value{key}` was u8, is u16",
    ]);
    check_loses::<tuple_longer::before::Held, tuple_longer::after::Held>(&[
        "version 1: `$.value` was {\"array\":[\"u8\",2]}, is {\"array\":[\"u8\",3]}",
    ]);
    check_loses::<list_to_array::before::Held, list_to_array::after::Held>(&[
        "version 1: `$.value` was {\"array\":[\"u8\",2]}, is {\"seq\":\"u8\"}",
    ]);
    check_loses::<variants::before::Held, variants::after::Held>(&[
        "version 1: variant `$.value.Pigeon` is new",
    ]);
    check_loses::<tagged::before::Held, tagged::after::Held>(&[
        "version 1: `$.value.Courier.number` was u32, is u64",
        "version 1: variant `$.value.Pigeon` is new",
    ]);
    check_loses::<digits::before::Held, digits::after::Held>(&[
        "version 1: `$.value` was f32, is u32",
    ]);
}
