//! For which keys an event has a reactor called.

use annals::prelude::*;
use annals_testing::recorded;
use serde::{Deserialize, Serialize};

use super::{react, routed};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, AggregateId)]
pub struct RoomId(u32);

/// What two aggregates list.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "RoomCleaned")]
pub struct Cleaned {
    by: String,
    day: u32,
    watchers: Vec<String>,
    note: Option<RoomId>,
}

#[derive(Debug, Aggregate)]
#[aggregate(id = RoomId, events(Cleaned))]
pub struct Room;

#[derive(Debug, Aggregate)]
#[aggregate(id = RoomId, events(Cleaned))]
pub struct Hall;

#[handlers]
impl Room {
    #[apply(upsert)]
    fn cleaned(_: Option<Self>, _: &Cleaned) -> Self {
        Self
    }
}

#[handlers]
impl Hall {
    #[apply(upsert)]
    fn cleaned(_: Option<Self>, _: &Cleaned) -> Self {
        Self
    }
}

fn cleaned() -> Cleaned {
    let watchers = ["Ada", "Eve", "Ada"].map(String::from);
    Cleaned { by: "Bob".into(), day: 3, watchers: watchers.into(), note: None }
}

/// Reactors that differ in their keys only.
macro_rules! keyed {
    ($($reactor:ident $name:literal ($($option:tt)*);)*) => {
        $(
            struct $reactor;

            #[reactor(name = $name)]
            impl $reactor {
                #[on($($option)*)]
                fn cleaned(_: &Cleaned) {}
            }
        )*
    };
}

keyed! {
    ByStream "by_stream" ();
    ByRoom "by_room" (from = Room);
    ByField "by_field" (key = by);
    ByNumber "by_number" (key = day, from = Hall);
    ByFields "by_fields" (key = (by, day));
    ByClosure "by_closure" (key = |event| event.day * 2);
    ByBorrowed "by_borrowed" (key = |event| event.by.as_str());
    ByFormat "by_format" (key = |Cleaned { by, day, .. }| format_args!("{by}-{day}").to_string());
    BySeveral "by_several" (key = |event| event.watchers.clone());
    ByBorrowedSeveral "by_borrowed_several" (key = |event| event.watchers.iter().collect::<Vec<_>>());
    ByTwo "by_two" (key = |event| [event.by.len(), 7]);
    ByNone "by_none" (key = |event| event.note.clone());
}

fn keys<R: Reactor<Services = ()>>() -> Vec<String> {
    routed::<R>((), &recorded::<Room>("12", cleaned()))
}

#[test]
fn without_a_key_it_is_the_stream_of_the_event() {
    assert_eq!(keys::<ByStream>(), ["room-12"]);
    let in_hall = recorded::<Hall>("7", cleaned());
    assert_eq!(routed::<ByStream>((), &in_hall), ["hall-7"]);
    assert_eq!(keys::<ByRoom>(), ["room-12"]);
    assert_eq!(routed::<ByRoom>((), &in_hall), [""; 0]);
    assert_eq!(keys::<ByNumber>(), [""; 0]);
    assert_eq!(routed::<ByNumber>((), &in_hall), ["3"]);
}

#[test]
fn a_field_or_several_are_a_key_by_their_texts() {
    assert_eq!(keys::<ByField>(), ["Bob"]);
    assert_eq!(keys::<ByFields>(), ["Bob/3"]);
}

#[test]
fn a_closure_gives_anything_that_has_a_text() {
    assert_eq!(keys::<ByClosure>(), ["6"]);
    assert_eq!(keys::<ByBorrowed>(), ["Bob"]);
    assert_eq!(keys::<ByFormat>(), ["Bob-3"]);
}

#[test]
fn a_closure_gives_one_key_several_or_none() {
    assert_eq!(keys::<BySeveral>(), ["Ada", "Eve"]);
    assert_eq!(keys::<ByBorrowedSeveral>(), ["Ada", "Eve"]);
    assert_eq!(keys::<ByTwo>(), ["3", "7"]);
    assert_eq!(keys::<ByNone>(), [""; 0]);
}

struct Reminders;

/// The key of the call tells which of several it is.
#[reactor(name = "reminders")]
impl Reminders {
    #[on(key = |event| event.watchers.clone())]
    fn cleaned(_: &Cleaned, cx: &EventContext<Self>) -> Remind {
        Remind { watcher: cx.key().clone() }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Remind {
    #[command(id)]
    watcher: String,
}

#[test]
fn there_is_a_call_for_each_key() {
    let commands = react::<Reminders>((), &recorded::<Room>("12", cleaned())).unwrap();
    let watchers: Vec<_> = commands.iter().map(|command| &command.content["watcher"]).collect();
    assert_eq!(watchers, ["Ada", "Eve"]);
}
