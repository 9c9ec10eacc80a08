//! Versions that rose: every kept version has to lead up, and what it looked like stays as it was.

use annals::prelude::*;
use annals_testing::schema::{FindingKind, Schema, SchemaFile};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{check, check_adds};

mod first {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct PriceSet {
        pub price: f64,
    }
}

mod second {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(version = 2, upcast(from = 1, with = to_cents))]
    pub struct PriceSet {
        pub cents: i64,
    }

    fn to_cents(old: Value) -> Result<Value, UpcastError> {
        let price = old["price"].as_f64().ok_or_else(|| UpcastError::new("no price"))?;
        Ok(json!({ "cents": (price * 100.0).round() as i64 }))
    }
}

/// Says that nothing is needed, which is not so.
mod no_way {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(version = 2, upcast(from = 1))]
    pub struct PriceSet {
        pub cents: i64,
    }
}

mod third {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(version = 3, upcast(from = 2), upcast(from = 1))]
    #[expect(
        clippy::duplicated_attributes,
        reason = "clippy does not see the version behind `from`"
    )]
    pub struct PriceSet {
        pub euros: i64,
    }
}

/// Says that nothing is stored at version 1 any more.
mod from_two_on {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(version = 2, oldest = 2)]
    pub struct PriceSet {
        pub cents: i64,
    }
}

mod by_type {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(name = "PriceSet")]
    pub struct PriceSetV1 {
        pub price: f64,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(version = 2, previous = PriceSetV1)]
    pub struct PriceSet {
        pub cents: i64,
    }

    impl From<PriceSetV1> for PriceSet {
        fn from(old: PriceSetV1) -> Self {
            Self { cents: (old.price * 100.0).round() as i64 }
        }
    }
}

mod rewritten {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(name = "PriceSet")]
    pub struct PriceSetV1 {
        #[serde(default)]
        pub price: f64,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(version = 2, previous = PriceSetV1)]
    pub struct PriceSet {
        pub cents: i64,
    }

    impl From<PriceSetV1> for PriceSet {
        fn from(old: PriceSetV1) -> Self {
            Self { cents: old.price as i64 }
        }
    }
}

fn one<E: Event>() -> Schema {
    Schema::new().with_event::<E>()
}

fn by_type() -> Schema {
    one::<by_type::PriceSetV1>().with_event::<by_type::PriceSet>()
}

#[test]
fn a_version_with_a_way_up_is_new_and_no_more() {
    let addition = &["event `PriceSet`: its version 2"];
    check_adds(&one::<first::PriceSet>(), &one::<second::PriceSet>(), addition);
    check_adds(&one::<first::PriceSet>(), &by_type(), addition);
}

#[test]
fn a_version_without_a_way_up() {
    check(
        &one::<first::PriceSet>(),
        &one::<no_way::PriceSet>(),
        FindingKind::NoWayUp,
        "event `PriceSet`: no way leads from version 1 up to 2
    changed: `$.price` is gone
             `$.cents` is new, and has to be there: i64
    breaks:  {\"price\":0.5} does not read: PriceSet: version 1 to 2: missing field `cents` at line 1 column 13
    write:   #[event(version = 2, upcast(from = 1, with = path::to::a_function))] on `PriceSet`",
    );
    check(
        &one::<first::PriceSet>(),
        &one::<third::PriceSet>(),
        FindingKind::NoWayUp,
        "event `PriceSet`: no way leads from version 1 up to 3
    breaks:  {\"price\":0.5} does not read: PriceSet: version 1 to 3: missing field `euros` at line 1 column 13
    write:   the steps from version 1 to 2 and on, so that each sample of it reads",
    );
}

#[test]
fn a_version_that_is_kept_and_said_not_to_be_stored() {
    let before = one::<second::PriceSet>().held_against(&one::<first::PriceSet>().to_file());
    let mut file = before.accepted;
    let after = one::<from_two_on::PriceSet>();
    let found = after.held_against(&file);
    assert_eq!(
        found.to_string(),
        "event `PriceSet`: its version 1 is below `oldest = 2`
    breaks:  {\"price\":0.5} does not read: PriceSet: stored at version 1, this program reads from version 2
    write:   #[event(…)] without `oldest = 2` on `PriceSet`, and the steps from version 1 up
             or nothing, and delete `events` / `PriceSet` / `versions` / `1` from the schema file, if none is left in production"
    );
    assert_eq!(found.findings[0].kind, FindingKind::NoWayUp);

    let versions = &mut file.events.get_mut("PriceSet").unwrap().versions;
    versions.get_mut(&1).unwrap().made.clear();
    let found = after.held_against(&file);
    assert_eq!(found.findings[0].kind, FindingKind::NoWayUp, "no sample of it could ever read");
    assert_eq!(found.findings[0].breaks, "events stored at version 1, if any is left");

    file.events.get_mut("PriceSet").unwrap().versions.remove(&1);
    assert!(after.held_against(&file).is_unchanged(), "what is deleted by hand stays so");
}

#[test]
fn a_version_that_fell() {
    check(
        &one::<second::PriceSet>(),
        &one::<first::PriceSet>(),
        FindingKind::VersionFell,
        "event `PriceSet`: its version fell from 2 to 1
    breaks:  events stored at version 2 are newer than this program
    write:   #[event(version = 3)] on `PriceSet`",
    );
}

#[test]
fn each_kept_version_is_read_again_and_none_is_dropped() {
    let first = one::<first::PriceSet>().to_file();
    let second = one::<second::PriceSet>().held_against(&first).accepted;
    assert_eq!(second.events["PriceSet"].versions.keys().collect::<Vec<_>>(), [&1, &2]);
    assert_eq!(second.events["PriceSet"].versions[&1], first.events["PriceSet"].versions[&1]);

    let third = one::<third::PriceSet>().held_against(&second);
    let headlines: Vec<_> = third.findings.iter().map(|finding| &*finding.headline).collect();
    assert_eq!(
        headlines,
        [
            "event `PriceSet`: no way leads from version 1 up to 3",
            "event `PriceSet`: no way leads from version 2 up to 3",
        ]
    );
    assert_eq!(third.accepted, second, "what breaks history changes nothing");
}

#[test]
fn the_struct_of_an_earlier_version_shares_the_name_and_keeps_its_shape() {
    let file = by_type().to_file();
    assert_eq!(file.events["PriceSet"].versions.keys().collect::<Vec<_>>(), [&1, &2]);
    assert!(by_type().held_against(&file).is_unchanged());
    check(
        &by_type(),
        &one::<rewritten::PriceSetV1>().with_event::<rewritten::PriceSet>(),
        FindingKind::ShapeChanged,
        "event `PriceSet`: the shape of its version 1 changed, which is history
    changed: `$.price` need not be there, and had to before
    breaks:  `PriceSetV1` does not say what was stored
    write:   `PriceSetV1` as it was; what is new goes into a later version",
    );
}

#[test]
fn the_struct_of_an_earlier_version_that_comes_later_is_kept_too() {
    let from_two_on = one::<second::PriceSet>().to_file();
    check_adds(&one::<second::PriceSet>(), &by_type(), &["event `PriceSet`: its version 1"]);
    let kept = by_type().held_against(&from_two_on).accepted;
    assert_eq!(kept.events["PriceSet"].versions.keys().collect::<Vec<_>>(), [&1, &2]);
}

#[test]
fn a_new_event_whose_own_versions_do_not_read() {
    let schema = one::<broken_chain::V1>().with_event::<broken_chain::V2>();
    let comparison = schema.held_against(&Schema::new().to_file());
    assert_eq!(
        comparison.findings[0].to_string(),
        "event `Measured`: a made sample of its version 1 is refused on the way up
    breaks:  nothing that is known to be stored, but nothing proves that history reads: {\"celsius\":0.5} does not read: Measured: version 1 to 2: nobody measures in Celsius; nor does 1 more
    write:   replace the 2 made samples in the schema file at `events` / `Measured` / `versions` / `1` / `made` by some as they were really stored, in `samples` beside it
             or a step that takes it, if the like was stored"
    );
}

/// Reads from the second version on, although the struct of the first is still there.
mod chain_from_two_on {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(name = "RateSet")]
    pub struct V1 {
        pub rate: f64,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(name = "RateSet", version = 2, previous = V1)]
    pub struct V2 {
        pub percent: f64,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(name = "RateSet", version = 3, oldest = 2, previous = V2)]
    pub struct V3 {
        pub per_mille: f64,
    }

    impl From<V1> for V2 {
        fn from(old: V1) -> Self {
            Self { percent: old.rate * 100.0 }
        }
    }

    impl From<V2> for V3 {
        fn from(old: V2) -> Self {
            Self { per_mille: old.percent * 10.0 }
        }
    }
}

#[test]
fn a_version_below_the_oldest_is_not_taken_into_the_file() {
    use chain_from_two_on::{V1, V2, V3};
    let schema = one::<V1>().with_event::<V2>().with_event::<V3>();
    let found = schema.held_against(&SchemaFile::default());
    assert!(found.findings.is_empty(), "{found}");
    let versions = &found.accepted.events["RateSet"].versions;
    assert_eq!(versions.keys().collect::<Vec<_>>(), [&2, &3]);
}

mod broken_chain {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(name = "Measured")]
    pub struct V1 {
        pub celsius: f64,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(name = "Measured", version = 2, previous = V1)]
    pub struct V2 {
        pub kelvin: f64,
    }

    impl TryFrom<V1> for V2 {
        type Error = UpcastError;

        fn try_from(_: V1) -> Result<Self, UpcastError> {
            Err(UpcastError::new("nobody measures in Celsius"))
        }
    }
}
