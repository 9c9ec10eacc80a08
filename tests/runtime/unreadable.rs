//! An event that cannot be read stops its reader, and is never skipped in silence.

use annals::prelude::*;
use annals::{Append, Expected, Misfit, NewEvent, Payload, Subject};
use serde::{Deserialize, Serialize};

use crate::bank::{Account, Deposit, OpenAccount};

async fn append(
    store: &MemoryStore,
    stream: &StreamId,
    name: &'static str,
    version: u32,
    json: &str,
) {
    let event = NewEvent::new(uuid::Uuid::now_v7(), name, version, Payload::new(json));
    store.append(vec![Append::new(stream.clone(), Expected::Any, vec![event])]).await.unwrap();
}

/// Opens an account, then stores what another release may have written.
async fn after(name: &'static str, version: u32, json: &str) -> (MemoryStore, String) {
    let store = MemoryStore::new();
    let bus = CommandBus::new(store.clone());
    bus.dispatch(OpenAccount { account: "ada".into(), owner: "Ada".into() }).await.unwrap();
    append(&store, &StreamId::new("account", "ada"), name, version, json).await;
    let error = Repository::<Account>::new(store.clone()).load("ada").await.unwrap_err();
    let deposit = Deposit { account: "ada".into(), amount: 5 };
    let refused = bus.dispatch(deposit).await.unwrap_err();
    assert_eq!(refused.to_string(), error.to_string(), "no command is decided on half a history");
    (store, error.to_string())
}

#[tokio::test]
async fn an_unknown_event() {
    let (_, error) = after("AccountFrozen", 1, "null").await;
    assert_eq!(
        error,
        "event `AccountFrozen` at version 2 of stream `account-ada`, position 2: \
         `runtime::bank::Account` does not list it; add it to `events(…)`, or to `ignore(…)` if it may be passed over"
    );
}

#[tokio::test]
async fn an_event_whose_content_does_not_fit() {
    let (_, error) = after("MoneyDeposited", 1, r#"{"amount":"many"}"#).await;
    assert!(
        error.starts_with(
            "event `MoneyDeposited` at version 2 of stream `account-ada`, position 2: \
             MoneyDeposited: invalid type: string \"many\", expected u64"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn an_event_of_a_newer_release() {
    let (_, error) = after("MoneyDeposited", 2, r#"{"amount":5}"#).await;
    assert!(
        error.ends_with("MoneyDeposited: stored at version 2, this program knows up to version 1"),
        "{error}"
    );
}

#[tokio::test]
async fn an_event_that_does_not_fit_the_state() {
    let (_, error) = after("AccountOpened", 1, r#"{"owner":"Bob"}"#).await;
    assert!(error.ends_with("position 2: it creates, but the state exists"), "{error}");
}

#[derive(Debug, Clone, Serialize, Deserialize, AggregateId)]
struct LampId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct LampLit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct LampDimmed;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Dim {
    #[command(id)]
    lamp: LampId,
}

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(id = LampId, events(LampLit, LampDimmed), ignore("LampDusted", "LampSold"))]
struct Lamp {
    dimmed: u32,
}

#[handlers]
impl Lamp {
    #[apply]
    fn lit(_: &LampLit) -> Self {
        Self { dimmed: 0 }
    }

    #[handle]
    fn dim(&self, _: Dim) -> LampDimmed {
        LampDimmed
    }

    #[apply]
    fn dimmed(&mut self, _: &LampDimmed) {
        self.dimmed += 1;
    }
}

#[tokio::test]
async fn what_the_aggregate_ignores_is_passed_over_and_counts_in_the_version() {
    let store = MemoryStore::new();
    let stream = StreamId::new("lamp", "l");
    for name in ["LampDusted", "LampLit", "LampDusted", "LampSold"] {
        append(&store, &stream, name, 9, "null").await;
        if name == "LampLit" {
            let error = Repository::<Lamp>::new(store.clone()).load("l").await.unwrap_err();
            assert!(error.to_string().contains("stored at version 9"));
        }
    }
    let store = MemoryStore::new();
    for (name, version) in [("LampDusted", 9), ("LampLit", 1), ("LampSold", 9)] {
        append(&store, &stream, name, version, "null").await;
    }
    let bus = CommandBus::new(store.clone());
    let receipt = bus.dispatch(Dim { lamp: "l".into() }).await.unwrap();
    assert_eq!(receipt.stream_version, 4, "the stream's own head, not what this program decoded");
    let lamp = Repository::<Lamp>::new(store).load("l").await.unwrap().unwrap();
    assert_eq!((lamp.state.dimmed, lamp.stream_version), (1, 4));
}

/// Written by hand: the derive refuses an event that is both listed and ignored.
#[derive(Debug, Clone, PartialEq)]
struct Both;

impl Subject for Both {
    type Key = LampId;
}

impl Aggregate for Both {
    type Id = LampId;
    type Event = LampEvent;
    type Services = ();

    const CATEGORY: &'static str = "listed_and_ignored";
    const IGNORED: &'static [&'static str] = &["LampLit"];

    fn apply(
        state: &mut Option<Self>,
        _: &LampEvent,
        _: &EventContext<Self>,
    ) -> Result<(), Misfit> {
        *state = Some(Self);
        Ok(())
    }
}

#[tokio::test]
async fn what_the_aggregate_lists_it_never_passes_over() {
    let store = MemoryStore::new();
    append(&store, &StreamId::new("listed_and_ignored", "l"), "LampLit", 1, "null").await;
    assert!(Repository::<Both>::new(store).load("l").await.unwrap().is_some());
}
