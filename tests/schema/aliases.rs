//! Events that are stored under a new name, and read under the old one: versions count on, and samples are read.

use annals::prelude::*;
use annals::{DecodeError, Stored};
use annals_testing::schema::{FindingKind, Schema, SchemaFile};
use serde::{Deserialize, Serialize};

use crate::check;

/// An event of one release: what its attribute says, its name, and its fields.
macro_rules! event {
    ($module:ident [$($option:tt)*] $name:ident { $($field:tt)* }) => {
        mod $module {
            use super::*;

            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
            #[event($($option)*)]
            pub struct $name {
                $($field)*
            }
        }
    };
}

event!(first [version = 1] RoomBooked { pub room: u32 });
event!(third [version = 3, upcast(from = 1), upcast(from = 2)] RoomBooked { pub room: u32 });
event!(reset [alias = "RoomBooked"] RoomTaken { pub room: u32 });
event!(reset_and_changed [alias = "RoomBooked"] RoomTaken { pub number: u32 });
event!(counting_on [alias = "RoomBooked", version = 3, upcast(from = 1), upcast(from = 2)] RoomTaken { pub room: u32 });
event!(counting_on_changed [alias = "RoomBooked", version = 3, upcast(from = 1), upcast(from = 2)] RoomTaken { pub number: u32 });
event!(field_renamed [alias = "RoomBooked"] RoomTaken { #[serde(default)] pub number: u32 });

fn one<E: Event>() -> Schema {
    Schema::new().with_event::<E>()
}

/// What is kept of all three versions.
fn three_versions() -> SchemaFile {
    let first = one::<first::RoomBooked>().to_file();
    let mut file = one::<third::RoomBooked>().held_against(&first).accepted;
    let versions = &mut file.events.get_mut("RoomBooked").unwrap().versions;
    versions.insert(2, versions[&1].clone());
    assert!(one::<third::RoomBooked>().held_against(&file).is_unchanged());
    file
}

#[test]
fn a_new_name_does_not_begin_to_count_anew() {
    let stored = Stored::new("RoomBooked", 3, r#"{"room":1}"#);
    let refused: DecodeError = reset::RoomTaken::decode(stored).unwrap_err();
    assert!(
        refused.to_string().contains("stored at version 3, this program knows up to version 1")
    );

    let found = one::<reset::RoomTaken>().held_against(&three_versions());
    assert_eq!(
        found.findings[0].to_string(),
        "event `RoomTaken`, once `RoomBooked`: its version fell from 3 to 1
    breaks:  events stored as `RoomBooked` at version 3 are newer than this program
    write:   #[event(alias = \"RoomBooked\", version = 3)] on `RoomTaken`"
    );
    assert_eq!(found.findings[0].kind, FindingKind::VersionFell);
    assert!(found.breaks_history());

    let found = one::<reset_and_changed::RoomTaken>().held_against(&three_versions());
    assert_eq!(
        found.findings[0].write,
        ["#[event(alias = \"RoomBooked\", version = 4)] on `RoomTaken`"],
        "another shape is a version above"
    );
}

#[test]
fn what_the_message_says_to_write_is_accepted() {
    let found = one::<counting_on::RoomTaken>().held_against(&three_versions());
    assert!(found.findings.is_empty(), "{found}");
    assert_eq!(found.additions, ["event `RoomTaken`"]);
    assert!(one::<counting_on::RoomTaken>().held_against(&found.accepted).is_unchanged());
}

#[test]
fn the_samples_of_the_old_name_are_read() {
    let found = one::<counting_on_changed::RoomTaken>().held_against(&three_versions());
    let headlines: Vec<_> = found.findings.iter().map(|finding| &*finding.headline).collect();
    assert_eq!(
        headlines,
        [
            "event `RoomTaken`, once `RoomBooked`: no way leads from version 1 up to 3",
            "event `RoomTaken`, once `RoomBooked`: no way leads from version 2 up to 3",
            "event `RoomTaken`, once `RoomBooked`: its shape changed, and its version is still 3",
        ]
    );
}

#[test]
fn a_shape_that_changes_with_the_name_is_a_version() {
    check(
        &one::<first::RoomBooked>(),
        &one::<field_renamed::RoomTaken>(),
        FindingKind::ShapeChanged,
        "event `RoomTaken`, once `RoomBooked`: its shape changed, and its version is still 1
    changed: `$.room` is gone, `$.number` of the same shape is new
    breaks:  nothing that is kept here, but version 1 now stands for two shapes, that of `RoomBooked` and that of `RoomTaken`
    write:   #[event(version = 2)] on `RoomTaken`
             #[event(since = 2, renamed_from = \"room\")] on the field `number`

new, and not in the file:
    event `RoomTaken`",
    );
}

#[test]
fn the_version_is_in_what_a_vanished_event_asks_for() {
    let found = Schema::new().held_against(&three_versions());
    assert_eq!(found.findings[0].kind, FindingKind::EventVanished);
    assert_eq!(
        found.findings[0].write[1],
        "or #[event(alias = \"RoomBooked\", version = 3)] on the event that took its place, with the steps if its shape is \
         another"
    );
}
