//! Processes in surroundings that break careless output: no prelude, shadowed names, raw identifiers, function bodies,
//! `macro_rules!`, methods under `cfg`, commands without `Debug`, every receiver and every way to send.

use std::time::Duration;

use annals::prelude::*;
use annals::process::{CommandEnum, DeadlineMove, React, RejectionKind, Start};
use annals::projection::Route;
use annals_testing::recorded;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::run::{Run, routed};

mod shadowed {
    //! Names of the prelude mean something else here.
    #![expect(dead_code, reason = "they only have to be in the way")]

    use super::{Command, Done, Event, EventContext, ProcessManager, Rejection, process};

    type Result<T> = ::std::result::Result<T, ()>;
    struct Option;
    struct Vec;
    struct String;
    struct Some;
    struct None;
    struct Ok;
    struct Err;
    trait From {}
    trait Clone {}
    trait Debug {}
    trait Send {}
    #[expect(non_camel_case_types, reason = "the name is in the way")]
    struct u32;
    #[expect(non_camel_case_types, reason = "the name is in the way")]
    struct bool;
    mod core {}
    mod std {}
    mod annals {}
    mod serde_json {}

    #[derive(Debug, Clone, ::serde::Serialize, ::serde::Deserialize, Event)]
    #[event(name = "ShadowCast")]
    pub struct E(pub ::std::string::String);

    #[derive(Clone, ::serde::Serialize, ::serde::Deserialize, Command)]
    #[command(name = "LiftShadow")]
    pub struct C(#[command(id)] pub ::std::string::String);

    #[derive(Debug, Clone, PartialEq, ::serde::Serialize, ::serde::Deserialize, ProcessManager)]
    #[process_manager(name = "shadow", id = ::std::string::String, sends(C))]
    pub struct P;

    #[process]
    impl P {
        #[on(upsert, key = 0)]
        fn cast(_: ::core::option::Option<Self>, event: &E) -> (Self, C) {
            (Self, C(::core::clone::Clone::clone(&event.0)))
        }

        #[rejected]
        fn not_lifted(&self, _: &C, _: &Rejection, _: &EventContext<Self>) {}

        #[deadline(name = "dusk")]
        fn dusk(self) -> Done<()> {
            Done(())
        }
    }
}

#[test]
fn shadowed_names_do_no_harm() {
    use shadowed::{C, P, PCommand};
    let command = PCommand::from(C("s".into()));
    assert_eq!(format!("{command:?}"), "C(..)", "a command without `Debug`");
    assert_eq!(command.same_command(&command), None, "and without an equality");
    assert_eq!(P::DUSK.as_str(), "dusk");
    assert_eq!(P::NAME, "shadow");
}

#[test]
fn items_in_functions_and_raw_identifiers() {
    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(name = "MatchBegun")]
    struct r#Match {
        r#type: u64,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
    #[command(name = "MoveOn")]
    #[expect(non_camel_case_types, reason = "a keyword has no capital")]
    struct r#move(#[command(id)] u64);

    #[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
    #[process_manager(name = "match", id = u64, sends(r#move), command_enum = r#Union)]
    #[expect(non_camel_case_types, reason = "a keyword has no capital")]
    struct r#impl;

    #[process]
    impl r#impl {
        #[on(key = r#type)]
        fn r#match(event: &r#Match) -> (Self, (r#Union, DeadlineMove)) {
            (Self, (r#move(event.r#type).into(), Self::LOOP.after(Duration::from_secs(1))))
        }

        #[deadline(name = "loop")]
        fn r#loop(&self) -> r#move {
            r#move(1)
        }
    }

    let begun = r#Match { r#type: 7 };
    let recorded = recorded::<Agency>("1", AgencyFounded);
    let route = <r#impl as React<r#Match>>::route(&begun, &recorded);
    assert_eq!(route.unwrap(), Route::One(7));
    let cx = EventContext::new(7, recorded);
    let step = <r#impl as React<r#Match>>::step(None, &begun, &cx).unwrap();
    assert_eq!(step.commands[0].same_command(&r#move(7).into()), Some(true));
    assert_eq!(step.deadlines, [r#impl::LOOP.after(Duration::from_secs(1))]);
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct AgencyFounded;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct ToursSold {
    tours: Vec<u64>,
    seats: u8,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct ToursMoved {
    tours: Vec<u64>,
    by_days: u64,
}

#[derive(Aggregate)]
#[aggregate(id = u64, events(AgencyFounded, ToursSold, ToursMoved))]
struct Agency;

#[handlers]
impl Agency {
    #[apply]
    fn founded(_: &AgencyFounded) -> Self {
        Self
    }

    #[apply]
    fn sold(&mut self, _: &ToursSold) {}

    #[apply]
    fn moved(&mut self, _: &ToursMoved) {}
}

/// Lists one of them, too.
#[derive(Aggregate)]
#[aggregate(id = u64, events(AgencyFounded))]
struct Branch;

#[handlers]
impl Branch {
    #[apply]
    fn founded(_: &AgencyFounded) -> Self {
        Self
    }
}

macro_rules! commands {
    ($($name:ident),*) => {
        $(
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
            struct $name(#[command(id)] u64);
        )*
    };
}

commands!(BookBus, BookGuide, CancelBus);

/// A state of three versions; it reads the log from its beginning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ProcessManager)]
#[process_manager(
    name = "tour",
    version = 3,
    id = u64,
    sends(BookBus, BookGuide as Guide, CancelBus),
    start = beginning,
    upcast(from = 1, with = in_a_struct),
    upcast(from = 2)
)]
enum Tour {
    Sold { seats: u8 },
    Over,
}

fn in_a_struct(seats: serde_json::Value) -> Result<serde_json::Value, UpcastError> {
    if !seats.is_number() {
        return Err(UpcastError::new("`seats` is no number"));
    }
    Ok(json!({ "Sold": { "seats": seats } }))
}

type Sent = Vec<TourCommand>;
type Next = Option<Tour>;

macro_rules! process {
    ($state:ty, $sold:ty, $wait:expr, $key:expr) => {
        #[process]
        impl $state {
            /// Several processes of one event; it begins one, or changes it.
            #[on(upsert, key = $key)]
            fn sold(
                tour: Option<Self>,
                event: &$sold,
                cx: &EventContext<Self>,
            ) -> (Option<Self>, [BookBus; 1]) {
                let before = match tour {
                    Some(Self::Sold { seats }) => seats,
                    _ => 0,
                };
                (Some(Self::Sold { seats: before + event.seats }), [BookBus(*cx.id())])
            }

            /// Looks, and sends.
            #[on(from = Branch)]
            fn founded(&self, _: &AgencyFounded, cx: &EventContext<Self>) -> Sent {
                match self {
                    Self::Sold { seats } if *seats > 50 => {
                        vec![BookBus(*cx.id()).into(), BookGuide(*cx.id()).into()]
                    }
                    _ => Vec::new(),
                }
            }

            /// A deadline that has no time of its own.
            #[on(key = |event| event.tours.first().copied())]
            fn moved(&mut self, event: &ToursMoved) -> (DeadlineMove, Option<DeadlineMove>) {
                let moved = Self::DEPARTURE.after(Duration::from_hours(24 * event.by_days));
                (moved, (event.by_days == 0).then(|| Self::BOOKED.cancel()))
            }

            #[rejected(upsert)]
            fn no_bus(tour: Option<Self>, _: &BookBus) -> Next {
                tour
            }

            #[rejected]
            #[cfg(any())]
            fn never(&self, _: &Nothing) {}

            #[rejected]
            fn no_guide(&mut self, command: &BookGuide, why: &Rejection, cx: &EventContext<Self>) {
                assert_eq!((command.0, why.to_string()), (*cx.id(), "all ill".to_owned()));
                *self = Self::Over;
            }

            #[deadline(name = "booked", after = $wait)]
            #[cfg(not(any()))]
            pub(super) fn booked(self, cx: &EventContext<Self>) -> Done<CancelBus> {
                Done(CancelBus(*cx.id()))
            }

            #[deadline(name = "booked")]
            #[cfg(any())]
            fn booked_never(self) -> Done<Nothing> {}

            #[deadline(name = "departure")]
            fn departure(self) -> Done<()> {
                Done(())
            }
        }
    };
}

process!(Tour, ToursSold, Duration::from_hours(1), |event| event.tours.clone());

/// A block that is not there.
#[process]
#[cfg(any())]
impl Journey {
    #[on]
    fn begun(_: &Nothing) -> Self {
        Self
    }
}

fn sold(tours: &[u64], seats: u8) -> RecordedEvent {
    recorded::<Agency>("7", ToursSold { tours: tours.to_vec(), seats })
}

fn moved(tours: &[u64], by_days: u64) -> RecordedEvent {
    recorded::<Agency>("7", ToursMoved { tours: tours.to_vec(), by_days })
}

#[test]
fn an_event_goes_to_each_process_that_it_names() {
    assert_eq!(routed::<Tour>(&sold(&[4, 5, 4], 2)), ["4", "5"]);
    assert_eq!(routed::<Tour>(&moved(&[4, 5], 1)), ["4"]);
    assert_eq!(routed::<Tour>(&moved(&[], 1)), [""; 0]);
    assert_eq!(routed::<Tour>(&recorded::<Branch>("4", AgencyFounded)), ["4"]);
    assert_eq!(
        routed::<Tour>(&recorded::<Agency>("4", AgencyFounded)),
        [""; 0],
        "of another aggregate"
    );
}

#[test]
fn every_receiver_sends_in_every_way() {
    let mut run = Run::of::<Tour>("4").when(sold(&[4], 2)).when(sold(&[4], 50));
    assert_eq!(run.sent, [("BookBus".to_owned(), json!(4))]);
    assert_eq!(run.state(), Some(Tour::Sold { seats: 52 }));
    let mut run = run.when(recorded::<Branch>("4", AgencyFounded));
    assert_eq!(run.names(), ["BookBus", "BookGuide"]);
    assert_eq!(run.state(), Some(Tour::Sold { seats: 52 }), "a look changes nothing");

    let bus = Rejection::domain(std::fmt::Error);
    let run = Run::of::<Tour>("4").when(sold(&[4], 60)).when_rejected(&bus);
    let mut run = run.when(recorded::<Branch>("4", AgencyFounded));
    run.accept_one();
    let mut run = run.when_rejected(&Rejection::new(RejectionKind::Refused, "all ill"));
    assert_eq!(run.state(), Some(Tour::Over));
}

#[test]
fn deadlines_are_set_moved_and_taken_back() {
    let run = Run::of::<Tour>("4").when(sold(&[4], 2));
    assert_eq!(run.deadlines(), [("booked", Timestamp::MIN + Duration::from_hours(1))]);
    let run = run.when(moved(&[4], 2));
    assert_eq!(run.deadlines().len(), 2);
    let run = run.when(moved(&[4], 0));
    assert_eq!(run.deadlines(), [("departure", Timestamp::MIN)]);
    let mut run = run.when_due("departure");
    assert_eq!(run.state::<Tour>(), None);

    let run = Run::of::<Tour>("4").when(sold(&[4], 2)).when_due("booked");
    assert_eq!(run.sent, [("CancelBus".to_owned(), json!(4))]);
}

#[test]
fn a_state_of_an_earlier_version_is_lifted_step_by_step() {
    assert_eq!((Tour::VERSION, Tour::START), (3, Start::Beginning));
    let lifted = Tour::upcast(1, json!(5)).unwrap();
    assert_eq!(lifted, json!({ "Sold": { "seats": 5 } }));
    assert_eq!(Tour::upcast(2, lifted.clone()).unwrap(), lifted);
    assert_eq!(Tour::upcast(1, json!("5")).unwrap_err().to_string(), "`seats` is no number");
    let unknown = Tour::upcast(3, json!(5)).unwrap_err().to_string();
    assert_eq!(unknown, "no step leads up from this version");
    assert_eq!(Tour::Over.same_state(&Tour::Over), Some(true));
}
