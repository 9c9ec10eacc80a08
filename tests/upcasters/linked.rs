//! A program that links an event with all its earlier structs: they share the stored name by right.

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "PriceSet")]
struct PriceSetV1 {
    price: f64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "PriceSet", version = 2, previous = PriceSetV1, alias = "PriceChanged")]
struct PriceSetV2 {
    cents: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 3, previous = PriceSetV2, alias = "PriceChanged")]
struct PriceSet {
    micros: i64,
}

impl From<PriceSetV1> for PriceSetV2 {
    fn from(old: PriceSetV1) -> Self {
        Self { cents: (old.price * 100.0).round() as i64 }
    }
}

impl From<PriceSetV2> for PriceSet {
    fn from(old: PriceSetV2) -> Self {
        Self { micros: old.cents * 10_000 }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Raise {
    #[command(id)]
    product: String,
    micros: i64,
}

#[derive(Debug, PartialEq, Aggregate)]
#[aggregate(id = String, events(PriceSet))]
struct Product {
    micros: i64,
}

#[handlers]
impl Product {
    #[handle]
    fn raise(&self, command: Raise) -> PriceSet {
        PriceSet { micros: self.micros + command.micros }
    }

    #[apply(upsert)]
    fn set(_: Option<Self>, event: &PriceSet) -> Self {
        Self { micros: event.micros }
    }
}

#[tokio::test]
async fn the_whole_program_is_built_and_reads_the_chain() {
    let store = MemoryStore::new();
    let stream = StreamId::of::<Product>(&"tea".to_owned());
    let old =
        NewEvent::new(uuid::Uuid::now_v7(), "PriceChanged", 1, Payload::new(r#"{"price":1.5}"#));
    store.append(vec![Append::new(stream, Expected::NoStream, vec![old])]).await.unwrap();
    let bus = CommandBus::builder(store.clone()).build().unwrap();
    bus.dispatch(Raise { product: "tea".into(), micros: 1 }).await.unwrap();
    let loaded = Repository::<Product>::new(store).load("tea").await.unwrap().unwrap();
    assert_eq!(loaded.state, Product { micros: 1_500_001 });
}
