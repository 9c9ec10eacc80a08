//! Every option of `#[event]`, `#[command]` and `#[aggregate]`, and what holds without it.

use annals::prelude::*;
use annals::{EventEnum, SnapshotPolicy};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Begun;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "month closed", version = 4, oldest = 4, alias = "MonthEnded", alias = "MonthOver")]
struct MonthClosed {
    month: u8,
}

/// The applies that each of the aggregates needs.
macro_rules! applies {
    ($($state:ident)*) => {
        $(
            #[handlers]
            impl $state {
                #[apply]
                fn begun(_: &Begun) -> Self {
                    Self
                }

                #[apply]
                fn month_closed(&mut self, _: &MonthClosed) {}
            }
        )*
    };
}

applies!(Plain Described EachHundred AfterMonths Both OnDemand);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(id = String, events(Begun, MonthClosed))]
struct Plain;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(
    id = String,
    events(Begun, MonthClosed as Closed),
    category = "books",
    services = Vec<(u8, &'static str)>,
    event_enum = BookKeeping,
    ignore("InterestAccrued", "FeeCharged"),
    ignore("Reminded"),
    crate = ::annals,
)]
struct Described;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(id = String, events(Begun, MonthClosed), snapshot(every = 100))]
struct EachHundred;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(id = String, events(Begun, MonthClosed), snapshot(on(MonthClosed, Begun), version = 2))]
struct AfterMonths;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(id = String)]
#[aggregate(events(Begun, MonthClosed))]
#[aggregate(snapshot(every = 1_000, version = 3, on(MonthClosed)))]
struct Both;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(id = String, events(Begun, MonthClosed), snapshot())]
struct OnDemand;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Open(#[command(id)] String);

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(name = "close the books", crate = ::annals)]
struct Close(#[command(id)] String);

#[test]
fn names() {
    assert_eq!((Begun::NAME, Begun::VERSION, Begun::ALIASES), ("Begun", 1, &[] as &[&str]));
    assert_eq!((MonthClosed::NAME, MonthClosed::VERSION), ("month closed", 4));
    assert_eq!(MonthClosed::ALIASES, ["MonthEnded", "MonthOver"]);
    assert_eq!((Open::NAME, Close::NAME), ("Open", "close the books"));
}

#[test]
fn a_category_is_the_name_in_snake_case_unless_given() {
    let categories = [Plain::CATEGORY, EachHundred::CATEGORY, Described::CATEGORY];
    assert_eq!(categories, ["plain", "each_hundred", "books"]);
}

#[test]
fn a_stored_name_may_be_255_bytes_long() {
    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(
        name = "äääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääa"
    )]
    struct Long;
    assert_eq!(Long::NAME.len(), 255);
}

#[test]
fn events_are_listed_under_other_names_and_stored_under_their_own() {
    let event = BookKeeping::from(MonthClosed { month: 2 });
    assert!(matches!(&event, BookKeeping::Closed(closed) if closed.month == 2));
    assert_eq!((event.event_type(), event.schema_version()), ("month closed", 4));
    for name in ["month closed", "MonthEnded", "MonthOver"] {
        let read =
            BookKeeping::decode(annals::Stored::new(name, 4, r#"{"month":2}"#)).unwrap().unwrap();
        assert_eq!(format!("{read:?}"), "Closed(MonthClosed { month: 2 })");
        assert_eq!(format!("{:?}", read.clone()), format!("{event:?}"));
    }
    assert!(BookKeeping::decode(annals::Stored::new("Closed", 4, r#"{"month":2}"#)).is_none());
    assert_eq!(Described::IGNORED, ["InterestAccrued", "FeeCharged", "Reminded"]);
    assert_eq!(Plain::IGNORED, [] as [&str; 0]);
}

#[test]
fn snapshots() {
    assert_eq!(Plain::SNAPSHOT, None);
    assert!(Plain.encode_snapshot().is_none());
    assert_eq!(EachHundred::SNAPSHOT, Some(SnapshotPolicy::every(100)));
    let after = ["month closed", "Begun"];
    let policy = AfterMonths::SNAPSHOT.unwrap();
    assert_eq!(policy.version(), 2);
    assert!(after.iter().all(|name| policy.is_due(1, 2, [*name])));
    assert!(!policy.is_due(1, 2, ["MonthClosed"]), "it is the stored name that counts");
    assert!(!policy.is_due(999, 1_000, []));
    let policy = Both::SNAPSHOT.unwrap();
    assert_eq!(policy.version(), 3);
    assert!(policy.is_due(999, 1_000, ["Begun"]) && policy.is_due(1, 2, ["month closed"]));
    assert!(!policy.is_due(1, 2, ["Begun"]));
    assert_eq!(OnDemand::SNAPSHOT, Some(SnapshotPolicy::on_demand()));
    let json = OnDemand.encode_snapshot().unwrap().unwrap();
    assert_eq!(OnDemand::decode_snapshot(&json).unwrap().unwrap(), OnDemand);
}

#[test]
fn equality_is_asked_of_each_event_alone() {
    let begun = || PlainEvent::from(Begun);
    let closed = |month| PlainEvent::from(MonthClosed { month });
    assert_eq!(begun().same_event(&begun()), Some(true));
    assert_eq!(begun().same_event(&closed(1)), Some(false), "two types of events differ");
    assert_eq!(closed(1).same_event(&closed(1)), Some(true), "without `PartialEq`, by `Debug`");
    assert_eq!(closed(1).same_event(&closed(2)), Some(false));
    assert_eq!(Plain.same_state(&Plain), Some(true));
}

#[test]
fn services_are_of_the_type_that_is_given() {
    fn services<A: Aggregate>() -> &'static str {
        std::any::type_name::<A::Services>()
    }
    assert_eq!(services::<Plain>(), "()");
    assert!(services::<Described>().contains("(u8, &str)"));
}
