//! What a person has asked of owners from outside: it goes once it is done, or too late, whatever has become of the rows.

use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::projection::ParkedEvent;
use annals::{CheckpointChange, CheckpointId, RowChange};
use serde_json::{Value, json};

use crate::models::ItemRow;
use crate::on_each_store;
use crate::stores::{PATIENCE, Store, bus, listed, record, wait};

on_each_store!(
    what_was_asked_of_rows_and_shards_that_are_gone_goes_once_it_is_too_late,
    what_was_asked_of_a_version_goes_with_it,
    who_asks_to_drop_what_is_not_parked_any_more_is_told_so,
);

fn keeper() -> CheckpointId {
    CheckpointId { name: "annals/requests".into(), version: 1, shard: 0 }
}

/// Asks an owner, as an operator does who waits until an instant.
async fn ask(store: &impl Store, (generation, shard): (u32, u32), wish: Value, until: Timestamp) {
    let reader = CheckpointId { shard, ..CheckpointId::of_projection("items", 1, generation) };
    ask_of(store, &reader, wish, until).await;
}

/// Asks the owner of a reader.
pub async fn ask_of(store: &impl Store, reader: &CheckpointId, wish: Value, until: Timestamp) {
    let keeper = keeper();
    let lease = store.claim_lease(&keeper, "ada", PATIENCE).await.expect("the store is there");
    let fence = lease.expect("nobody else asks");
    let request = RowChange::Park(ParkedEvent {
        reader: keeper,
        key: json!([reader.name, reader.version, reader.shard, wish]).to_string(),
        position: Position::START,
        stream_id: StreamId::new("annals/requests", "nothing"),
        event_type: "annals/requests".into(),
        error: String::new(),
        attempts: 0,
        parked_at: Timestamp::now(),
        retry_at: Some(until),
    });
    let change = CheckpointChange { fence: fence.clone(), position: Position::START };
    store.write_rows(vec![request], change).await.expect("it is kept");
    store.release_lease(&fence).await.expect("it is its own");
}

async fn asked(store: &impl Store) -> Vec<ParkedEvent> {
    store.parked(&keeper(), None).await.expect("the store is there")
}

/// Waits until what is asked is as it should be.
async fn until(store: &impl Store, is_so: impl Fn(&[ParkedEvent]) -> bool) -> Vec<ParkedEvent> {
    let until = Instant::now() + PATIENCE;
    loop {
        let asked = asked(store).await;
        if is_so(&asked) {
            return asked;
        }
        assert!(Instant::now() < until, "{asked:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn started(store: &impl Store) -> ProjectionEngine {
    let engine = ProjectionEngine::builder(store.clone())
        .register::<ItemRow>()
        .polling(Duration::from_millis(20))
        .lease(PATIENCE);
    let engine = engine.start().await.expect("the engine starts");
    wait(&engine, &record(&bus(store), "a", listed("Ada", 1)).await).await;
    engine
}

fn ago() -> Timestamp {
    Timestamp::now() - Duration::from_mins(2)
}

async fn what_was_asked_of_rows_and_shards_that_are_gone_goes_once_it_is_too_late(
    store: impl Store,
) {
    let engine = started(&store).await;
    engine.rebuild::<ItemRow>().await.expect("nothing is wrong with it");
    let drop = |key: &str| json!({ "drop": { "key": key } });
    let later = Timestamp::now() + Duration::from_hours(1);
    // Of somebody who waits, perhaps.
    ask(&store, (1, 0), drop("b"), later).await;
    ask(&store, (1, 0), drop("a"), ago()).await;
    ask(&store, (2, 3), json!({ "skip": { "position": 1 } }), ago()).await;
    let left = until(&store, |asked| asked.len() <= 1).await;
    assert!(left.iter().all(|left| left.key.contains(r#""b""#)) && left.len() == 1, "{left:?}");
    engine.shutdown().await.expect("nothing went wrong");
}

async fn what_was_asked_of_a_version_goes_with_it(store: impl Store) {
    started(&store).await.shutdown().await.expect("nothing went wrong");
    let later = Timestamp::now() + Duration::from_hours(1);
    ask(&store, (1, 0), json!({ "retry": { "key": "a" } }), later).await;
    let operator = ProjectionEngine::builder(store.clone()).operator().expect("nothing clashes");
    let pruned = operator.prune_version("items", 1).await;
    assert_eq!(pruned.expect("the store is there"), annals::projection::Pruned::Done);
    assert_eq!(asked(&store).await, []);
}

async fn who_asks_to_drop_what_is_not_parked_any_more_is_told_so(store: impl Store) {
    let engine = started(&store).await;
    let later = Timestamp::now() + Duration::from_hours(1);
    let wish = || json!({ "drop": { "key": "a" } });
    ask(&store, (1, 0), wish(), later).await;
    let told = until(&store, |asked| asked.iter().all(|asked| !asked.error.is_empty())).await;
    assert_eq!(told.len(), 1, "whoever asked takes it back");
    // Asked again, it is answered again.
    ask(&store, (1, 0), wish(), later + Duration::from_secs(1)).await;
    until(&store, |asked| asked.iter().all(|asked| !asked.error.is_empty())).await;
    ask(&store, (1, 0), wish(), ago()).await;
    until(&store, <[_]>::is_empty).await;
    engine.shutdown().await.expect("nothing went wrong");
}
