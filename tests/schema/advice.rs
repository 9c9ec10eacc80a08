//! What to write: the lightest thing that is right, and nothing where nobody could know.

use annals::prelude::*;
use annals_testing::schema::{FindingKind, Mode, Schema};
use serde::{Deserialize, Serialize};

use crate::file::Folder;

/// An event `Measured` of one release: its fields.
macro_rules! measured {
    ($module:ident { $($field:tt)* }) => {
        mod $module {
            use super::*;

            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
            pub struct Measured {
                $($field)*
            }
        }
    };
}

measured!(whole { pub value: u64 });
measured!(fraction { pub value: f64 });
measured!(wide { pub value: u128 });
measured!(noted { pub note: Option<String>, pub value: u64 });
measured!(remarked { pub remark: Option<String>, pub value: u64 });
measured!(remarked_by_alias { #[serde(alias = "note")] pub remark: Option<String>, pub value: u64 });
measured!(dropped { pub value: u128 });

fn one<E: Event>() -> Schema {
    Schema::new().with_event::<E>()
}

#[track_caller]
fn check_advice(before: &Schema, after: &Schema, expected: &[&str]) {
    let found = after.held_against(&before.to_file());
    assert_eq!(found.findings[0].kind, FindingKind::ShapeChanged, "{found}");
    assert_eq!(found.findings[0].write, expected);
}

#[test]
fn a_number_that_loses_digits_is_converted() {
    let converted = &[
        "#[event(version = 2)] on `Measured`",
        "#[event(since = 2, convert_with = path::to::a_function)] on the field `value`",
    ];
    check_advice(&one::<whole::Measured>(), &one::<fraction::Measured>(), converted);
    check_advice(&one::<wide::Measured>(), &one::<whole::Measured>(), converted);
    let nothing = &["#[event(version = 2, upcast(from = 1))] on `Measured`"];
    check_advice(&one::<whole::Measured>(), &one::<wide::Measured>(), nothing);
}

/// The second version of the event, which says that nothing is needed.
macro_rules! as_it_is {
    ($module:ident $type:ty) => {
        mod $module {
            use super::*;

            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
            #[event(version = 2, upcast(from = 1))]
            pub struct Measured {
                pub value: $type,
            }
        }
    };
}

as_it_is!(fraction_as_it_is f64);
as_it_is!(whole_as_it_is u64);
as_it_is!(wide_as_it_is u128);

#[test]
fn a_step_that_loses_digits_is_no_way_up() {
    let check = |before: Schema, after: Schema, breaks: &str| {
        let found = after.held_against(&before.to_file());
        assert_eq!(found.findings.len(), 1, "{found}");
        assert_eq!(found.findings[0].kind, FindingKind::NoWayUp);
        assert!(found.findings[0].breaks.contains(breaks), "{found}");
    };
    check(
        one::<whole::Measured>(),
        one::<fraction_as_it_is::Measured>(),
        "{\"value\":18446744073709551615} loses digits: 18446744073709551615 becomes 18446744073709551616",
    );
    check(
        one::<wide::Measured>(),
        one::<whole_as_it_is::Measured>(),
        "{\"value\":340282366920938463463374607431768211455} does not read",
    );
    let found = one::<wide_as_it_is::Measured>().held_against(&one::<whole::Measured>().to_file());
    assert!(found.findings.is_empty(), "{found}");
}

#[test]
fn an_option_that_is_renamed_is_not_left_behind() {
    check_advice(
        &one::<noted::Measured>(),
        &one::<remarked::Measured>(),
        &[
            "#[event(version = 2)] on `Measured`",
            "#[event(since = 2, renamed_from = \"note\")] on the field `remark`",
        ],
    );
    check_advice(
        &one::<noted::Measured>(),
        &one::<remarked_by_alias::Measured>(),
        &["#[event(version = 2, upcast(from = 1))] on `Measured`"],
    );
}

#[test]
fn a_field_that_is_dropped_beside_one_that_grew_is_told_alone() {
    check_advice(
        &one::<noted::Measured>(),
        &one::<dropped::Measured>(),
        &["#[event(version = 2, removed(since = 2, \"note\"))] on `Measured`"],
    );
}

mod transparent {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub struct Reading {
        pub value: u64,
        pub unit: String,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[serde(transparent)]
    pub struct Measured {
        pub reading: Reading,
    }
}

#[test]
fn what_is_inside_a_transparent_event_has_no_marks() {
    check_advice(
        &one::<whole::Measured>(),
        &one::<transparent::Measured>(),
        &["#[event(version = 2, upcast(from = 1, with = path::to::a_function))] on `Measured`"],
    );
}

/// Events of one shape under several names.
macro_rules! events {
    ($($name:ident { $($field:tt)* })*) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
        struct $name {
            $($field)*
        }
    )*};
}

events! {
    DoorOpened {}
    DoorClosed {}
    GateOpened {}
    GateClosed {}
    GateHit { force: u32 }
    DoorHit { force: u32 }
}

#[test]
fn of_several_that_were_renamed_at_once_none_is_guessed() {
    let before = one::<DoorOpened>().with_event::<DoorClosed>().with_event::<DoorHit>();
    let after = one::<GateOpened>().with_event::<GateClosed>().with_event::<GateHit>();
    let found = after.held_against(&before.to_file());
    assert_eq!(
        found.to_string(),
        "event `DoorClosed` is not there any more; `GateClosed` or `GateOpened` may have taken its place
    breaks:  events stored as `DoorClosed` stop each reader
    write:   #[event(name = \"DoorClosed\")] on the one that it became, or alias = \"DoorClosed\" to store the new name from now on
             or the event again, with #[event(name = \"DoorClosed\", version = 1, retired)] if nothing returns it any more

event `DoorHit` is not there any more; `schema::advice::GateHit` looks like it
    changed: the stored name was `DoorHit`, is `GateHit`
    breaks:  events stored as `DoorHit` do not read
    write:   #[event(name = \"DoorHit\")] on `GateHit`

event `DoorOpened` is not there any more; `GateClosed` or `GateOpened` may have taken its place
    breaks:  events stored as `DoorOpened` stop each reader
    write:   #[event(name = \"DoorOpened\")] on the one that it became, or alias = \"DoorOpened\" to store the new name from now on
             or the event again, with #[event(name = \"DoorOpened\", version = 1, retired)] if nothing returns it any more"
    );
    let found = one::<GateOpened>().held_against(&before.to_file());
    let headlines: Vec<_> = found.findings.iter().map(|finding| &*finding.headline).collect();
    assert_eq!(
        headlines,
        [
            "event `DoorClosed` is not there any more; `GateOpened` may have taken its place",
            "event `DoorHit` is not there any more",
            "event `DoorOpened` is not there any more; `GateOpened` may have taken its place",
        ]
    );
}

mod under_two_names {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct Measured {
        #[serde(rename(serialize = "amount", deserialize = "value"))]
        pub value: u64,
    }
}

mod under_two_names_by_default {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct Measured {
        #[serde(default, rename(serialize = "amount", deserialize = "value"))]
        pub value: u64,
    }
}

#[test]
fn what_is_written_under_another_name_than_it_is_read_is_told() {
    let check = |schema: Schema, breaks: &str| {
        let found = schema.held_against(&schema.to_file());
        assert_eq!(found.findings.len(), 1, "{found}");
        assert_eq!(found.findings[0].kind, FindingKind::NotReadBack);
        assert_eq!(
            found.findings[0].headline,
            "event `Measured`: what it writes, it does not read back"
        );
        assert_eq!(found.findings[0].breaks, breaks);
        let write = [
            "one name for both ways in #[serde(rename = …)] in the fields of `Measured`, or `alias` for what is written",
        ];
        assert_eq!(found.findings[0].write, write);
    };
    check(
        one::<under_two_names::Measured>(),
        "{\"amount\":1} does not read: Measured: missing field `value` at line 1 column 12",
    );
    check(one::<under_two_names_by_default::Measured>(), "{\"amount\":1} reads as {\"amount\":0}");
}

#[test]
fn where_nothing_breaks_nobody_is_told_that_history_would() {
    let folder = Folder::new("harmless");
    let path = folder.path("schema.json");
    one::<whole::Measured>().check(&path, Mode::Accept).unwrap();
    let harmless = one::<wide::Measured>().check(&path, Mode::Accept).unwrap_err();
    assert!(
        harmless.ends_with(
            "nothing was accepted: write what is said, then run ANNALS_SCHEMA=accept cargo test"
        ),
        "{harmless}"
    );
    let breaks = one::<under_two_names::Measured>().check(&path, Mode::Check).unwrap_err();
    assert!(breaks.contains("\n\nhistory would break."), "{breaks}");
}

#[test]
fn two_types_of_one_rust_name_are_two() {
    let schema = {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
        struct Twin {
            one: u8,
        }
        one::<Twin>()
    };
    let schema = {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
        struct Twin {
            two: u8,
        }
        schema.with_event::<Twin>()
    };
    let found = schema.held_against(&schema.to_file());
    assert_eq!(found.findings[0].kind, FindingKind::NameClash, "{found}");
    let one = "schema::advice::two_types_of_one_rust_name_are_two::Twin";
    assert_eq!(
        found.findings[0].headline,
        format!(
            "the stored event name `Twin` stands for two types `{one}`, of two releases of a crate or of two blocks"
        )
    );
}
