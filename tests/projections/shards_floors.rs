//! Shards whose keys have been done further than the shard itself, since their number has changed; and events that are parked of
//! the keys of one shard.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use annals::prelude::*;
use annals::projection::{ModelDefinition, projector};
use annals::shards::{Division, Shard};
use annals::{CheckpointId, Fence};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::models::{ItemId, ItemListed, OwnerRenamed, PriceChanged, What};
use crate::on_each_store;
use crate::requested::ask_of;
use crate::shards::{SOON, builder, here, shows};
use crate::stores::{PATIENCE, Store, bus, listed, priced, record};

on_each_store!(
    what_is_parked_below_the_floor_of_its_key_is_applied_at_a_retry,
    what_changes_each_row_does_not_wait_below_the_floor_of_a_key,
    a_row_is_built_anew_as_far_as_its_key_has_been_done,
    a_shard_leaves_alone_what_is_parked_of_another,
    what_is_asked_for_a_key_waits_for_its_shard,
);

/// The owners of items whose prices may be below zero.
static MENDED: Mutex<Option<HashSet<String>>> = Mutex::new(None);

fn mend(owner: &str) {
    let mut mended = MENDED.lock().unwrap_or_else(PoisonError::into_inner);
    mended.get_or_insert_default().insert(owner.to_owned());
}

fn is_mended(owner: &str) -> bool {
    let mended = MENDED.lock().unwrap_or_else(PoisonError::into_inner);
    mended.as_ref().is_some_and(|mended| mended.contains(owner))
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "floored_prices")]
pub struct FlooredPrice {
    #[read_model(key)]
    item: ItemId,
    #[read_model(index)]
    owner: String,
    prices: String,
}

#[derive(Debug, thiserror::Error)]
#[error("a price of {0} is below zero")]
pub struct Below(i64);

#[projection]
impl FlooredPrice {
    #[on(upsert)]
    fn listed(_: Option<Self>, event: &ItemListed, cx: &EventContext<Self>) -> Self {
        let (owner, prices) = (event.owner.clone(), event.price.to_string());
        Self { item: cx.key().clone(), owner, prices }
    }

    #[on]
    fn price(&mut self, event: &PriceChanged) -> Result<(), Below> {
        if event.price < 0 && !is_mended(&self.owner) {
            return Err(Below(event.price));
        }
        self.prices = format!("{}, {}", self.prices, event.price);
        Ok(())
    }

    #[on(each(owner = from))]
    fn renamed(&mut self, event: &OwnerRenamed) {
        self.owner.clone_from(&event.to);
    }
}

/// A key of the last of four shards.
fn key() -> String {
    let mut keys = (0..).map(|number| format!("item {number}"));
    keys.find(|key| Shard::of_key(key, 4).index() == 3).expect("each shard has keys")
}

fn of_one_run() -> String {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    format!("run {}", RUNS.fetch_add(1, Ordering::SeqCst))
}

fn definition() -> ModelDefinition {
    projector::<FlooredPrice>().definition().clone()
}

async fn hold(store: &impl Store, shards: std::ops::Range<u32>) -> Vec<Fence> {
    let mut held = Vec::new();
    for shard in shards {
        let id = CheckpointId { shard, ..definition().reader(1) };
        let fence = store.claim_lease(&id, "nobody", Duration::from_hours(1)).await;
        held.push(fence.expect("it is there").expect("it is free"));
    }
    held
}

async fn start(store: &impl Store, retry: RetryPolicy) -> ProjectionEngine {
    let builder = builder(store).retry(retry).register::<FlooredPrice>();
    builder.shards::<FlooredPrice>(4).start().await.expect("the engine starts")
}

/// Has the last of four shards do all of its events, and no other do any.
async fn one_is_ahead(store: &impl Store, retry: RetryPolicy) -> Vec<Fence> {
    store.prepare(&definition()).await.expect("its table is made");
    let at_first = Division::AtFirst(4);
    store.divide(&definition().reader(1), at_first).await.expect("it can be divided");
    let held = hold(store, 0..3).await;
    let engine = start(store, retry).await;
    let head = store.head().await.expect("it is there");
    shows(&engine, |status| status.shards[3].position == head).await;
    engine.shutdown().await.expect("nothing went wrong");
    held
}

/// Has one shard go on with all keys from where the last was.
async fn becomes_one(store: &impl Store) {
    let (reader, head) = (definition().reader(1), store.head().await.expect("it is there"));
    let standing = store.divide(&reader, Division::FromNow(1)).await.expect("it can be divided");
    assert!(standing.lowest() < head, "{standing:?}");
    assert_eq!(standing.of_key(&key()), head, "{standing:?}");
}

async fn prices(store: &impl Store) -> String {
    let row = ReadModels::new(store.clone()).get::<FlooredPrice>(key()).await;
    row.expect("rows are read").expect("it is there").prices
}

async fn what_is_parked_below_the_floor_of_its_key_is_applied_at_a_retry(store: impl Store) {
    let (bus, run) = (bus(&store), of_one_run());
    record(&bus, &key(), listed(&run, 1)).await;
    record(&bus, &key(), priced(-2)).await;
    record(&bus, &key(), priced(3)).await;
    one_is_ahead(&store, RetryPolicy::never()).await;
    becomes_one(&store).await;
    mend(&run);
    let engine = start(&store, RetryPolicy::never()).await;
    shows(&engine, |status| here(status) == 1 && status.parked == 2).await;
    let left = engine.retry_parked::<FlooredPrice>(key()).await;
    assert_eq!(left.expect("its shard is here"), 0);
    assert_eq!(prices(&store).await, "1, -2, 3");
    engine.shutdown().await.expect("nothing went wrong");
}

async fn what_changes_each_row_does_not_wait_below_the_floor_of_a_key(store: impl Store) {
    let (bus, run) = (bus(&store), of_one_run());
    record(&bus, &key(), listed(&run, 1)).await;
    let renamed = OwnerRenamed { from: run.clone(), to: format!("{run} renamed") };
    record(&bus, &key(), What::Renamed(renamed)).await;
    let failed = record(&bus, &key(), priced(-2)).await;
    one_is_ahead(&store, RetryPolicy::never()).await;
    becomes_one(&store).await;
    // It was applied before anything waited, and is read again now that something does.
    let engine = start(&store, RetryPolicy::never()).await;
    shows(&engine, |status| here(status) == 1 && status.events_behind == 0).await;
    let parked = store.parked(&definition().reader(1), None).await.expect("it is there");
    let parked: Vec<_> = parked.iter().map(|event| event.position).collect();
    assert_eq!(parked, [failed.position]);
    engine.shutdown().await.expect("nothing went wrong");
}

async fn a_row_is_built_anew_as_far_as_its_key_has_been_done(store: impl Store) {
    let (bus, run) = (bus(&store), of_one_run());
    record(&bus, &key(), listed(&run, 1)).await;
    record(&bus, &key(), priced(2)).await;
    one_is_ahead(&store, RetryPolicy::never()).await;
    becomes_one(&store).await;
    // Its owner answers, and goes no further.
    let name = FlooredPrice::NAME;
    store.set_paused(name, 1, true).await.expect("it is kept");
    let engine = start(&store, RetryPolicy::never()).await;
    shows(&engine, |status| here(status) == 1).await;
    let built = engine.rebuild_key::<FlooredPrice>(key()).await;
    assert_eq!(built.expect("its shard is here"), 2);
    assert_eq!(prices(&store).await, "1, 2");
    engine.resume::<FlooredPrice>().await.expect("the store is there");
    let last = record(&bus, &key(), priced(3)).await;
    engine.wait_for::<FlooredPrice>(&last, PATIENCE).await.expect("it comes there");
    assert_eq!(prices(&store).await, "1, 2, 3");
    engine.shutdown().await.expect("nothing went wrong");
}

/// Has the last of four shards do all of its events; then it is nobody's, and the others are free.
async fn all_but_one_are_free(store: &impl Store, retry: RetryPolicy) -> Fence {
    for fence in one_is_ahead(store, retry).await {
        store.release_lease(&fence).await.expect("it is there");
    }
    hold(store, 3..4).await.remove(0)
}

async fn a_shard_leaves_alone_what_is_parked_of_another(store: impl Store) {
    let (bus, run) = (bus(&store), of_one_run());
    record(&bus, &key(), listed(&run, 1)).await;
    record(&bus, &key(), priced(-2)).await;
    let retry = RetryPolicy::times(1_000).with_pause(SOON).with_longest_pause(SOON);
    let last = all_but_one_are_free(&store, retry).await;
    mend(&run);
    let engine = start(&store, retry).await;
    let parked = async || {
        let parked = store.parked(&definition().reader(1), None).await.expect("it is there");
        parked.iter().map(|event| (event.position, event.attempts)).collect::<Vec<_>>()
    };
    let before = parked().await;
    assert_eq!(before.len(), 1);
    // Each of the others would have tried it again on its way.
    for number in 0..5 {
        record(&bus, &format!("other {number}"), listed(&run, 1)).await;
        let head = store.head().await.expect("it is there");
        shows(&engine, |status| {
            status.shards[..3].iter().all(|shard| shard.runs_here && shard.position == head)
        })
        .await;
        tokio::time::sleep(SOON).await;
    }
    assert_eq!((parked().await, prices(&store).await), (before, "1".to_owned()));
    store.release_lease(&last).await.expect("it is there");
    shows(&engine, |status| here(status) == 4 && status.parked == 0).await;
    assert_eq!(prices(&store).await, "1, -2");
    engine.shutdown().await.expect("nothing went wrong");
}

async fn what_is_asked_for_a_key_waits_for_its_shard(store: impl Store) {
    let (bus, run) = (bus(&store), of_one_run());
    record(&bus, &key(), listed(&run, 1)).await;
    record(&bus, &key(), priced(-2)).await;
    let last = all_but_one_are_free(&store, RetryPolicy::never()).await;
    let engine = start(&store, RetryPolicy::never()).await;
    shows(&engine, |status| here(status) == 3).await;
    // Whoever asks knows of no shards.
    let drop = json!({ "drop": { "key": key() } });
    ask_of(&store, &definition().reader(1), drop, Timestamp::now() + PATIENCE).await;
    // Long enough for the others to take it.
    tokio::time::sleep(SOON * 20).await;
    store.release_lease(&last).await.expect("it is there");
    shows(&engine, |status| here(status) == 4 && status.parked == 0).await;
    assert_eq!(prices(&store).await, "1");
    engine.shutdown().await.expect("nothing went wrong");
}
