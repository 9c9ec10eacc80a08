//! Parked events that are tried again: they hold up nobody else, and what cannot be read any more stays parked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::projection::ProjectionState;
use annals::{Append, Expected, NewEvent, Payload};
use annals_testing::conformance::faulty::Faulty;
use serde::{Deserialize, Serialize};

use crate::models::{ItemId, ItemListed, ItemRow};
use crate::on_each_store;
use crate::stores::{PATIENCE, Slow, Store, bus, listed, priced, record};

on_each_store!(
    what_cannot_be_read_at_a_retry_stays_parked_and_others_go_on,
    what_the_table_refuses_before_an_unreadable_event_is_parked,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_that_fail_hold_up_none_that_is_sound() {
    let store = annals::MemoryStore::new();
    let bus = bus(&store);
    for number in 0..1_000 {
        // There is no row to change.
        record(&bus, &format!("i-{number}"), priced(5)).await;
    }
    let slow = Faulty::new(store.clone(), Slow(Duration::from_millis(30)));
    let retry = RetryPolicy::times(100)
        .with_pause(Duration::from_millis(50))
        .with_longest_pause(Duration::from_millis(50));
    let engine = ProjectionEngine::builder(slow).register::<ItemRow>().retry(retry).start().await;
    let engine = engine.expect("the engine starts");
    while engine.status().await.expect("the store is there").projections[0].parked < 1_000 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    let sound = record(&bus, "sound", listed("Ada", 1)).await;
    engine.wait_for::<ItemRow>(&sound, PATIENCE).await.expect("it comes there");
    engine.shutdown().await.expect("nothing went wrong");
    // To try all of them once takes half a minute.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

/// Whether this release reads numbers below zero.
static READS_ALL: AtomicBool = AtomicBool::new(true);

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Number(i64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        if number < 0 && !READS_ALL.load(Ordering::SeqCst) {
            return Err(serde::de::Error::custom("a number below zero"));
        }
        Ok(Self(number))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "ProjectionsCounted")]
pub struct Counted {
    pub number: Number,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "counted_numbers")]
pub struct Counter {
    #[read_model(key)]
    pub number: i64,
    pub times: i64,
}

#[projection]
impl Counter {
    #[on(upsert, key = |event| event.number.0)]
    fn counted(row: Option<Self>, event: &Counted) -> Result<Self, std::fmt::Error> {
        if event.number.0 < 0 {
            return Err(std::fmt::Error);
        }
        Ok(Self { number: event.number.0, times: row.map_or(0, |row| row.times) + 1 })
    }
}

async fn count(store: &impl Store, number: i64) -> Receipt {
    let event = Payload::new(format!("{{\"number\":{number}}}"));
    let event = NewEvent::new(uuid::Uuid::now_v7(), "ProjectionsCounted", 1, event);
    let append = Append::new(StreamId::new("counted", "numbers"), Expected::Any, vec![event]);
    store.append(vec![append]).await.expect("it is appended").remove(0)
}

async fn what_cannot_be_read_at_a_retry_stays_parked_and_others_go_on(store: impl Store) {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _turn = TURN.lock().await;
    READS_ALL.store(true, Ordering::SeqCst);
    let retry = RetryPolicy::times(1_000)
        .with_pause(Duration::from_millis(20))
        .with_longest_pause(Duration::from_millis(20));
    let engine = ProjectionEngine::builder(store.clone()).register::<Counter>().retry(retry);
    let engine = engine.start().await.expect("the engine starts");
    count(&store, -1).await;
    while engine.parked::<Counter>().await.expect("the store is there").is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    READS_ALL.store(false, Ordering::SeqCst);
    loop {
        let parked = engine.parked::<Counter>().await.expect("the store is there");
        if parked[0].error.contains("a number below zero") {
            break;
        }
        let status = engine.status().await.expect("the store is there");
        assert_ne!(status.projections[0].state, ProjectionState::Stopped, "{status:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    count(&store, 1).await;
    loop {
        let row = engine.read_models().get::<Counter>(1).await.expect("the row is read");
        if row.is_some_and(|row| row.times == 1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(engine.drop_parked::<Counter>(-1).await.expect("it is the owner"), 1);
    READS_ALL.store(true, Ordering::SeqCst);
    engine.shutdown().await.expect("it has not stopped");
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "prices_by_item")]
pub struct OnePrice {
    #[read_model(key)]
    pub item: ItemId,
    #[read_model(unique)]
    pub price: i64,
}

#[projection]
impl OnePrice {
    #[on(upsert)]
    fn listed(_: Option<Self>, event: &ItemListed, cx: &EventContext<Self>) -> Self {
        Self { item: cx.key().clone(), price: event.price }
    }
}

async fn what_the_table_refuses_before_an_unreadable_event_is_parked(store: impl Store) {
    let bus = bus(&store);
    record(&bus, "a", listed("Ada", 7)).await;
    let refused = record(&bus, "b", listed("Bob", 7)).await;
    let event = NewEvent::new(uuid::Uuid::now_v7(), "ItemListed", 1, Payload::new("{}"));
    let append = Append::new(StreamId::new("projected_item", "c"), Expected::Any, vec![event]);
    let broken = store.append(vec![append]).await.expect("it is appended").remove(0);
    let engine = ProjectionEngine::builder(store.clone())
        .register::<OnePrice>()
        .retry(RetryPolicy::never())
        .start()
        .await
        .expect("the engine starts");
    crate::stopped::is(&engine, ProjectionState::Stopped).await;
    let parked = engine.parked::<OnePrice>().await.expect("the store is there");
    assert_eq!(parked.iter().map(|event| event.position).collect::<Vec<_>>(), [refused.position]);
    engine.skip::<OnePrice>(broken.position).await.expect("it has stopped there");
    let last = record(&bus, "d", listed("Dan", 8)).await;
    engine.wait_for::<OnePrice>(&last, PATIENCE).await.expect("it has gone on");
}
