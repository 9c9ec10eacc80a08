//! Categories, what the streams of an aggregate have, and snapshots.

use annals::prelude::*;
use annals_testing::schema::{FindingKind, Schema};
use serde::{Deserialize, Serialize};

use crate::{check, check_adds};

#[derive(Debug, Clone, Serialize, Deserialize, AggregateId)]
pub struct MeterId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct MeterRead {
    units: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct MeterSealed;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct MeterReset;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "MeterClosed", alias = "MeterSealed")]
pub struct MeterClosed;

/// A meter of one release: its events with the methods that apply them, the options of its attribute, and its state.
macro_rules! meter {
    ($module:ident $name:ident { $($event:ident $method:ident),* } [$($option:tt)*] { $($field:tt)* }) => {
        mod $module {
            use super::*;

            #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Aggregate)]
            #[aggregate(id = MeterId, events($($event),*), category = "meter", $($option)*)]
            pub struct $name {
                $($field)*
            }

            #[handlers]
            impl $name {
                $(
                    #[apply(upsert)]
                    fn $method(state: Option<Self>, _: &$event) -> Self {
                        state.unwrap_or_default()
                    }
                )*
            }
        }
    };
}

meter!(before Meter { MeterRead read, MeterSealed sealed } [snapshot(every = 10)] { units: u64 });
meter!(state_changed Meter { MeterRead read, MeterSealed sealed } [snapshot(every = 10)] { units: u64, sealed: bool });
meter!(version_raised Meter { MeterRead read, MeterSealed sealed } [snapshot(every = 10, version = 2)] { units: u64, sealed: bool });
meter!(version_three Meter { MeterRead read, MeterSealed sealed } [snapshot(every = 10, version = 3)] { units: u64 });
meter!(unlisted Meter { MeterRead read } [snapshot(every = 10)] { units: u64 });
meter!(ignoring Meter { MeterRead read } [snapshot(every = 10), ignore("MeterSealed")] { units: u64 });
meter!(ignoring_and_more Meter { MeterRead read, MeterReset reset } [ignore("MeterSealed")] { units: u64 });
meter!(without_sealed Meter { MeterRead read, MeterReset reset } [] { units: u64 });
meter!(ignoring_the_name Meter { MeterRead read } [snapshot(every = 10), ignore("MeterClosed")] { units: u64 });
meter!(ignoring_both Meter { MeterRead read } [snapshot(every = 10), ignore("MeterClosed", "MeterSealed")] { units: u64 });
meter!(by_alias Meter { MeterRead read, MeterClosed closed } [snapshot(every = 10)] { units: u64 });

mod without_alias {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct MeterClosed;
}

mod by_name {
    use super::without_alias::MeterClosed;
    use super::*;

    meter!(release Meter { MeterRead read, MeterClosed closed } [snapshot(every = 10)] { units: u64 });
    pub use release::Meter;
}

mod by_name_ignoring_the_alias {
    use super::without_alias::MeterClosed;
    use super::*;

    meter!(release Meter { MeterRead read, MeterClosed closed } [snapshot(every = 10), ignore("MeterSealed")] { units: u64 });
    pub use release::Meter;
}

mod ignoring_moved {
    use super::*;

    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Aggregate)]
    #[aggregate(id = MeterId, events(MeterRead, MeterReset), ignore("MeterSealed"))]
    pub struct Counter;

    #[handlers]
    impl Counter {
        #[apply(upsert)]
        fn read(_: Option<Self>, _: &MeterRead) -> Self {
            Self
        }

        #[apply(upsert)]
        fn reset(_: Option<Self>, _: &MeterReset) -> Self {
            Self
        }
    }
}

mod unsealed {
    use super::*;

    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Aggregate)]
    #[aggregate(id = MeterId, events(MeterRead))]
    pub struct Counter;

    #[handlers]
    impl Counter {
        #[apply(upsert)]
        fn read(_: Option<Self>, _: &MeterRead) -> Self {
            Self
        }
    }
}

mod moved {
    use super::*;

    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Aggregate)]
    #[aggregate(id = MeterId, events(MeterRead, MeterSealed))]
    pub struct Counter;

    #[handlers]
    impl Counter {
        #[apply(upsert)]
        fn read(_: Option<Self>, _: &MeterRead) -> Self {
            Self
        }

        #[apply(upsert)]
        fn sealed(_: Option<Self>, _: &MeterSealed) -> Self {
            Self
        }
    }
}

fn one<A: Aggregate>() -> Schema {
    Schema::new().with_aggregate::<A>()
}

#[test]
fn a_state_that_changed_under_the_same_version() {
    check(
        &one::<before::Meter>(),
        &one::<state_changed::Meter>(),
        FindingKind::SnapshotChanged,
        "aggregate `meter`: its state changed, and the version of its snapshots is still 1
    changed: `$.sealed` is new, and has to be there: bool
    breaks:  no history, but each snapshot counts as none, and two releases at once overwrite each other's
    write:   #[aggregate(snapshot(…, version = 2))] on `Meter`",
    );
    check_adds(
        &one::<before::Meter>(),
        &one::<version_raised::Meter>(),
        &["aggregate `meter`: what it lists or snapshots"],
    );
}

#[test]
fn a_version_of_snapshots_that_fell() {
    check(
        &one::<version_three::Meter>(),
        &one::<version_raised::Meter>(),
        FindingKind::VersionFell,
        "aggregate `meter`: the version of its snapshots fell from 3 to 2
    changed: `$.sealed` is new, and has to be there: bool
    breaks:  no history, but what an earlier release took at version 2 may pass for a snapshot of today
    write:   #[aggregate(snapshot(…, version = 4))] on `Meter`",
    );
    check(
        &one::<version_three::Meter>(),
        &one::<before::Meter>(),
        FindingKind::VersionFell,
        "aggregate `meter`: the version of its snapshots fell from 3 to 1
    breaks:  no history, but what an earlier release took at version 1 may pass for a snapshot of today
    write:   #[aggregate(snapshot(…, version = 3))] on `Meter`",
    );
}

#[test]
fn an_event_that_is_not_listed_any_more() {
    check(
        &one::<before::Meter>(),
        &one::<unlisted::Meter>(),
        FindingKind::EventUnlisted,
        "aggregate `meter` does not list event `MeterSealed` any more
    breaks:  a stream `meter-…` that has one cannot be loaded
    write:   the event again in #[aggregate(events(…))] on `Meter`
             or #[aggregate(ignore(\"MeterSealed\"))] on `Meter`, if the state does not depend on it",
    );
    let addition = &["aggregate `meter`: what it lists or snapshots"];
    check_adds(&one::<before::Meter>(), &one::<ignoring::Meter>(), &[]);
    check_adds(&one::<before::Meter>(), &one::<by_alias::Meter>(), addition);
}

#[test]
fn what_streams_hold_is_kept_whatever_is_accepted_in_between() {
    for between in [one::<ignoring_and_more::Meter>(), one::<by_alias::Meter>()] {
        let accepted = between.held_against(&one::<before::Meter>().to_file()).accepted;
        let events = &accepted.aggregates["meter"].events;
        assert!(events.contains("MeterSealed"), "{events:?}");
        assert_eq!(events.len(), 3, "{events:?}");

        let after = one::<without_sealed::Meter>().held_against(&accepted);
        let headlines: Vec<_> = after.findings.iter().map(|finding| &*finding.headline).collect();
        assert!(
            headlines.contains(&"aggregate `meter` does not list event `MeterSealed` any more"),
            "{after}"
        );
        assert!(after.breaks_history());
    }
}

/// A meter, and all of its events that are types of the program.
fn with_events<A: Aggregate>() -> Schema {
    one::<A>().with_event::<MeterRead>()
}

#[test]
fn an_event_that_is_gone_may_be_ignored() {
    let before = with_events::<before::Meter>().with_event::<MeterSealed>();
    let after = with_events::<ignoring::Meter>();
    check_adds(&before, &after, &[]);
    let accepted = after.held_against(&before.to_file()).accepted;
    assert!(accepted.events.contains_key("MeterSealed"), "its entry is kept");

    let found = with_events::<unlisted::Meter>().held_against(&accepted);
    let kinds: Vec<_> = found.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::EventVanished, FindingKind::EventUnlisted]);
    assert_eq!(
        found.findings[0].write[2],
        "or #[aggregate(ignore(\"MeterSealed\"))] on the aggregates of `meter`, if it has no meaning any more"
    );
}

#[test]
fn an_event_that_is_gone_has_to_be_ignored_by_each_aggregate_that_has_it() {
    let before = with_events::<before::Meter>()
        .with_aggregate::<moved::Counter>()
        .with_event::<MeterSealed>();
    let after = with_events::<ignoring::Meter>().with_aggregate::<unsealed::Counter>();
    let found = after.held_against(&before.to_file());
    let kinds: Vec<_> = found.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::EventVanished, FindingKind::EventUnlisted]);

    // That no aggregate has it does not say that nobody reads it.
    let before = Schema::new().with_event::<MeterSealed>();
    let found = one::<ignoring::Meter>().held_against(&before.to_file());
    assert_eq!(found.findings[0].kind, FindingKind::EventVanished);
}

#[test]
fn an_event_that_is_gone_has_to_be_ignored_under_each_of_its_names() {
    let before = with_events::<by_alias::Meter>().with_event::<MeterClosed>();
    let found = with_events::<ignoring_the_name::Meter>().held_against(&before.to_file());
    assert_eq!(found.findings[0].kind, FindingKind::EventVanished, "{found}");
    check_adds(&before, &with_events::<ignoring_both::Meter>(), &[]);
}

#[test]
fn an_alias_that_is_gone_may_be_ignored_too() {
    let before = with_events::<by_alias::Meter>().with_event::<MeterClosed>();
    let without = with_events::<by_name::Meter>().with_event::<without_alias::MeterClosed>();
    let found = without.held_against(&before.to_file());
    assert_eq!(found.findings[0].kind, FindingKind::AliasVanished, "{found}");

    // Its streams have what was stored under the alias, too.
    let mut before = before.to_file();
    let events = &mut before.aggregates.get_mut("meter").unwrap().events;
    events.insert("MeterSealed".to_owned());
    let ignoring = with_events::<by_name_ignoring_the_alias::Meter>()
        .with_event::<without_alias::MeterClosed>();
    let found = ignoring.held_against(&before);
    assert!(found.is_unchanged(), "{found}");
}

#[test]
fn a_category_that_changed_is_recognized_by_what_its_streams_hold() {
    let accepted =
        one::<ignoring_and_more::Meter>().held_against(&one::<before::Meter>().to_file());
    let found = one::<ignoring_moved::Counter>().held_against(&accepted.accepted);
    assert_eq!(found.findings[0].kind, FindingKind::CategoryRenamed, "{found}");
}

#[test]
fn a_struct_renamed_without_pinning_the_category() {
    check(
        &one::<before::Meter>(),
        &one::<moved::Counter>(),
        FindingKind::CategoryRenamed,
        "aggregate `meter` is not there any more; `schema::aggregates::moved::Counter` looks like it
    changed: the category was `meter`, is `counter`
    breaks:  nothing finds the streams `meter-…`
    write:   #[aggregate(category = \"meter\")] on `Counter`",
    );
}

#[test]
fn an_aggregate_that_is_gone_and_one_that_is_new() {
    check(
        &one::<before::Meter>(),
        &Schema::new(),
        FindingKind::CategoryVanished,
        "aggregate `meter` is not there any more
    breaks:  nothing finds the streams `meter-…`
    write:   the aggregate again, with #[aggregate(category = \"meter\")]",
    );
    check_adds(&Schema::new(), &one::<before::Meter>(), &["aggregate `meter`"]);
}

#[test]
fn two_aggregates_of_one_category() {
    let schema = one::<before::Meter>().with_aggregate::<unlisted::Meter>();
    let comparison = schema.held_against(&one::<before::Meter>().to_file());
    assert_eq!(comparison.findings[0].kind, FindingKind::NameClash);
    assert_eq!(
        comparison.findings[0].headline,
        "the category `meter` stands for both `schema::aggregates::before::Meter` and \
         `schema::aggregates::unlisted::Meter`"
    );
}

meter!(without_snapshots Meter { MeterRead read, MeterSealed sealed } [] { units: u64 });

#[test]
fn a_state_without_snapshots_for_a_while_keeps_the_shape_of_those_that_are_stored() {
    let before = one::<before::Meter>().to_file();
    let found = one::<without_snapshots::Meter>().held_against(&before);
    assert!(found.is_unchanged(), "{found}");
    assert_eq!(found.accepted, before, "the store may still have snapshots");
    let found = one::<state_changed::Meter>().held_against(&found.accepted);
    assert_eq!(found.findings[0].kind, FindingKind::SnapshotChanged, "{found}");
}

/// A twin of the counter that was a meter.
mod moved_too {
    use super::*;

    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Aggregate)]
    #[aggregate(id = MeterId, events(MeterRead, MeterSealed))]
    pub struct Gauge;

    #[handlers]
    impl Gauge {
        #[apply(upsert)]
        fn read(_: Option<Self>, _: &MeterRead) -> Self {
            Self
        }

        #[apply(upsert)]
        fn sealed(_: Option<Self>, _: &MeterSealed) -> Self {
            Self
        }
    }
}

#[test]
fn of_two_that_may_have_taken_the_place_none_is_guessed() {
    check(
        &one::<before::Meter>(),
        &one::<moved::Counter>().with_aggregate::<moved_too::Gauge>(),
        FindingKind::CategoryVanished,
        "aggregate `meter` is not there any more; `Counter` or `Gauge` may have taken its place
    breaks:  nothing finds the streams `meter-…`
    write:   #[aggregate(category = \"meter\")] on the one that it became
             or the aggregate again, with #[aggregate(category = \"meter\")]",
    );
}
