//! The macros in surroundings that break careless output: no prelude, shadowed names, raw identifiers, function bodies,
//! `macro_rules!`, methods under `cfg`, several blocks in modules.

mod strict;

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use crate::fold::{decide, fold};

mod shadowed {
    //! Names of the prelude mean something else here.
    #![expect(dead_code, reason = "they only have to be in the way")]

    use super::{Aggregate, AggregateId, Command, Event, handlers};

    type Result<T> = ::std::result::Result<T, ()>;
    struct Option;
    struct Vec;
    struct String;
    struct Box;
    struct Some;
    struct None;
    struct Ok;
    struct Err;
    trait From {}
    trait Default {}
    trait Clone {}
    trait Debug {}
    trait Display {}
    trait FromStr {}
    trait Send {}
    trait Sync {}
    trait Iterator {}
    #[expect(non_camel_case_types, reason = "the name is in the way")]
    struct u32;
    #[expect(non_camel_case_types, reason = "the name is in the way")]
    struct bool;
    mod core {}
    mod std {}
    mod annals {}
    mod serde_json {}

    #[derive(Debug, Clone, PartialEq, ::serde::Serialize, ::serde::Deserialize, AggregateId)]
    pub struct Id(::std::string::String);

    #[derive(Debug, Clone, PartialEq, ::serde::Serialize, ::serde::Deserialize, Event)]
    #[event(name = "ThingMade", version = 2, oldest = 2, alias = "ThingCreated", alias = "Made")]
    pub struct A;

    #[derive(Debug, Clone, ::serde::Serialize, ::serde::Deserialize, Command)]
    pub struct Make(#[command(id)] pub Id);

    #[derive(Debug, Clone, ::serde::Serialize, ::serde::Deserialize, Aggregate)]
    #[aggregate(id = Id, events(A), snapshot(on(A)), ignore("Forgotten"))]
    pub struct Thing;

    #[handlers]
    impl Thing {
        #[handle]
        async fn make(_: Make) -> A {
            A
        }

        #[apply]
        fn made(_: &A) -> Self {
            Self
        }
    }
}

#[test]
fn shadowed_names_do_no_harm() {
    use shadowed::{A, Id, Make, Thing, ThingEvent};
    let id = Id::from("one");
    assert!(fold::<Thing>(id.clone(), A).unwrap().is_some());
    assert_eq!(decide::<_, Thing>(None, Make(id)).unwrap().unwrap().len(), 1);
    for name in ["ThingMade", "ThingCreated", "Made"] {
        assert!(
            <ThingEvent as annals::EventEnum>::decode(annals::Stored::new(name, 2, "null"))
                .unwrap()
                .is_ok()
        );
    }
    assert_eq!(Thing::IGNORED, ["Forgotten"]);
}

#[test]
fn items_in_functions_and_raw_identifiers() {
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, AggregateId)]
    struct r#Key {
        r#type: u64,
    }

    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[expect(non_camel_case_types, reason = "a keyword has no capital")]
    struct r#fn(u32);

    #[derive(Debug, Clone, Serialize, Deserialize, Command)]
    struct r#Match {
        #[command(id)]
        r#type: r#Key,
    }

    #[derive(Aggregate)]
    #[aggregate(id = r#Key, events(r#fn), event_enum = r#Union)]
    #[expect(non_camel_case_types, reason = "a keyword has no capital")]
    struct r#impl;

    #[handlers]
    impl r#impl {
        #[handle]
        fn r#match(_: r#Match) -> Vec<r#fn> {
            vec![r#fn(1)]
        }

        #[apply]
        fn r#move(_: &r#fn) -> Self {
            Self
        }
    }

    let key = r#Key::from(7);
    assert_eq!("7".parse::<r#Key>().unwrap(), key);
    let events = decide::<_, r#impl>(None, r#Match { r#type: key.clone() }).unwrap().unwrap();
    assert_eq!(events[0].event_type(), "fn");
    let state = fold::<r#impl>(key, r#fn(1)).unwrap().unwrap();
    assert_eq!(state.same_state(&state), None, "no `PartialEq`, no answer");
    assert_eq!(r#impl::CATEGORY, "impl");
}

macro_rules! counter {
    ($state:ident, $id:ty, $command:ident, $event:ident, $amount:ty, $version:expr) => {
        #[derive(Debug, Clone, Serialize, Deserialize, Event)]
        #[event(version = $version, oldest = $version)]
        pub struct $event(pub $amount);

        #[derive(Debug, Clone, Serialize, Deserialize, Command)]
        pub struct $command {
            #[command(id)]
            pub id: $id,
        }

        #[derive(Debug, PartialEq, Aggregate)]
        #[aggregate(id = $id, events($event))]
        pub struct $state($amount);

        counter!(@handlers $state, $command, &$event, $event);
    };
    (@handlers $state:ty, $command:ty, $taken:ty, $event:ident) => {
        #[handlers]
        impl $state {
            #[handle(upsert)]
            fn count(state: Option<&Self>, command: $command) -> Result<$event, std::fmt::Error> {
                let _ = command;
                Ok($event(state.map_or(0, |state| state.0) + 1))
            }

            #[apply(upsert)]
            fn counted(state: Option<Self>, event: $taken, cx: &EventContext<Self>) -> Option<Self> {
                assert_eq!(cx.schema_version(), 1);
                Some(Self(state.map_or(0, |state| state.0) + event.0))
            }
        }
    };
}

counter!(Counter, u64, Count, Counted, u8, 3);

#[test]
fn whole_aggregates_may_come_from_a_macro() {
    assert_eq!(fold::<Counter>(1, [Counted(1), Counted(2)]), Ok(Some(Counter(3))));
    assert_eq!(decide::<_, Counter>(None, Count { id: 1 }).unwrap().unwrap().len(), 1);
    assert_eq!(<Counted as Event>::VERSION, 3);
}

/// Blocks in modules, methods under `cfg`, aliases, every way to give nothing.
#[derive(Debug, PartialEq, Aggregate)]
#[aggregate(id = uuid::Uuid, events(blocks::Begun, blocks::Ended as Over), category = "journeys")]
struct Journey {
    legs: u32,
}

mod blocks {
    use super::*;

    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(name = "JourneyBegun")]
    pub struct Begun;
    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(name = "JourneyEnded")]
    pub struct Ended;

    type Start = Begun;
    type Fallible<T> = Result<T, std::fmt::Error>;
    type Maybe = Option<Ended>;
    type Unit = ();

    #[derive(Debug, Clone, Serialize, Deserialize, Command)]
    #[command(name = "BeginJourney")]
    pub struct Begin(#[command(id)] uuid::Uuid);
    #[derive(Debug, Clone, Serialize, Deserialize, Command)]
    #[command(name = "EndJourney")]
    pub struct End(#[command(id)] uuid::Uuid, pub bool);

    #[handlers]
    impl Journey {
        #[apply]
        fn begun(_: &Start) -> Self {
            Self { legs: 1 }
        }

        #[apply]
        #[cfg(any())]
        fn ended_never(&mut self, _: &Ended) {}

        #[annals::apply]
        #[cfg(not(any()))]
        fn ended(&mut self, _: &Ended) -> Unit {
            self.legs = 0;
        }
    }

    /// A block and methods that are not there, for a command that does not exist either.
    #[handlers]
    #[cfg(any())]
    impl Journey {
        #[handle]
        fn vanish(&self, _: Vanish) -> Ended {
            Ended
        }
    }

    mod decisions {
        #[annals::handlers(crate = ::annals)]
        impl super::super::Journey {
            #[annals::handle]
            fn begin(
                _: super::Begin,
                cx: &annals::Context<Self>,
            ) -> super::Fallible<[super::Start; 1]> {
                assert_eq!(cx.stream_version(), 0);
                Ok([super::Begun])
            }

            #[handle]
            #[cfg(any())]
            fn end_never(&self, _: super::End) -> super::Nowhere {
                super::Ended
            }

            #[handle]
            #[cfg(not(any()))]
            async fn end(&self, command: super::End) -> super::Fallible<super::Maybe> {
                Ok(command.1.then_some(super::Ended))
            }
        }
    }

    pub fn begin() -> Begin {
        Begin(uuid::Uuid::nil())
    }

    pub fn end(really: bool) -> End {
        End(uuid::Uuid::nil(), really)
    }
}

#[test]
fn blocks_aliases_and_cfg() {
    let id = uuid::Uuid::nil();
    let journey = fold::<Journey>(id, blocks::Begun).unwrap();
    assert_eq!(fold::<Journey>(id, (blocks::Begun, blocks::Ended)), Ok(Some(Journey { legs: 0 })));
    assert_eq!(decide::<_, Journey>(None, blocks::begin()).unwrap().unwrap().len(), 1);
    assert_eq!(decide(journey.as_ref(), blocks::end(false)).unwrap().unwrap().len(), 0);
    let events = decide(journey.as_ref(), blocks::end(true)).unwrap().unwrap();
    assert!(matches!(events[..], [JourneyEvent::Over(_)]));
    assert_eq!(Journey::CATEGORY, "journeys");
}

/// `Self` means the aggregate wherever a marked method writes it.
mod selves {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct Noted(pub u8);

    #[derive(Debug, Clone, Serialize, Deserialize, Command)]
    pub struct Note(#[command(id)] pub u64);

    pub trait Limited {
        type Refusal: std::error::Error + Send + Sync + 'static;
    }

    #[derive(Debug, Aggregate)]
    #[aggregate(id = u64, events(Noted))]
    pub struct Notes;

    impl Limited for Notes {
        type Refusal = std::fmt::Error;
    }

    #[handlers]
    impl Notes {
        const LIMIT: usize = 2;

        #[handle(upsert)]
        #[expect(clippy::unnecessary_wraps, reason = "it is the type that counts")]
        fn note(
            _: Option<&Self>,
            _: Note,
            _: &Context<Self>,
        ) -> Result<[<Self as Aggregate>::Event; Self::LIMIT], <Self as Limited>::Refusal> {
            Ok([Noted(1).into(), Noted(2).into()])
        }

        #[apply(upsert)]
        fn noted(_: Option<Self>, _: &Noted, _: &EventContext<Self>) -> Option<Self> {
            Some(Self)
        }
    }
}

#[test]
fn self_is_the_aggregate() {
    let decided = decide::<_, selves::Notes>(None, selves::Note(1)).unwrap().unwrap();
    assert_eq!(decided.len(), 2);
}
