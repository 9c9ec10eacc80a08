//! A retired event is read, applied and given in tests, but no handler returns it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Switched {
    on: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "Lit", retired)]
struct LitUp;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Switch {
    #[command(id)]
    lamp: String,
    on: bool,
}

/// A handler that goes round the compiler.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Light {
    #[command(id)]
    lamp: String,
}

#[derive(Debug, PartialEq, Aggregate)]
#[aggregate(id = String, events(Switched, LitUp))]
struct RetiringLamp {
    on: bool,
}

#[handlers]
impl RetiringLamp {
    #[handle(upsert)]
    fn switch(_: Option<&Self>, command: Switch) -> Option<Switched> {
        Some(Switched { on: command.on })
    }

    #[handle(upsert)]
    fn light(_: Option<&Self>, _: Light) -> RetiringLampEvent {
        LitUp.into()
    }

    #[apply(upsert)]
    fn switched(_: Option<Self>, event: &Switched) -> Self {
        Self { on: event.on }
    }

    #[apply(upsert)]
    fn lit_up(_: Option<Self>, _: &LitUp) -> Self {
        Self { on: true }
    }
}

#[tokio::test]
async fn a_retired_event_reads_and_is_not_appended() {
    let store = MemoryStore::new();
    let stream = StreamId::of::<RetiringLamp>(&"hall".to_owned());
    let lit = NewEvent::new(uuid::Uuid::now_v7(), "Lit", 1, Payload::new("null"));
    store.append(vec![Append::new(stream, Expected::NoStream, vec![lit])]).await.unwrap();

    let repository = Repository::<RetiringLamp>::new(store.clone());
    assert_eq!(repository.load("hall").await.unwrap().unwrap().state, RetiringLamp { on: true });

    let bus = CommandBus::builder(store.clone()).register::<RetiringLamp>().build().unwrap();
    let refused = bus.dispatch(Light { lamp: "hall".into() }).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "append to stream `retiring_lamp-hall`: event `Lit`: it is retired: no handler may return it"
    );
    bus.dispatch(Switch { lamp: "hall".into(), on: false }).await.unwrap();
    let loaded = repository.load("hall").await.unwrap().unwrap();
    assert_eq!((loaded.stream_version, loaded.state), (2, RetiringLamp { on: false }));
}

#[test]
fn a_test_may_begin_with_a_retired_event() {
    annals_testing::given::<RetiringLamp>((LitUp, Switched { on: false }))
        .when(Switch { lamp: "hall".into(), on: true })
        .then(Switched { on: true });
}

#[test]
fn a_test_fails_where_a_handler_returns_one_through_the_enum() {
    let test = || {
        annals_testing::given::<RetiringLamp>(()).when(Light { lamp: "hall".into() }).then(LitUp);
    };
    let panic = catch_unwind(AssertUnwindSafe(test)).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.ends_with("event `Lit` is retired: no handler may return it"), "{message}");
}

#[test]
fn an_enum_tells_which_events_are_retired() {
    let retired: Vec<_> = RetiringLampEvent::EVENTS.iter().map(|event| event.retired).collect();
    assert_eq!(retired, [false, true]);
    assert_eq!([LitUp::RETIRED, Switched::RETIRED], [true, false]);
}
