//! Shards of a projection that stop, each by itself: they are led past what stopped them, or others take over.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use annals::prelude::*;
use annals::projection::{ProjectionState, projector};
use annals::shards::{Division, Shard};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::models::{ItemId, ItemListed, PriceChanged};
use crate::on_each_store;
use crate::requested::ask_of;
use crate::shards::{SOON, builder, here, shows};
use crate::stopped::broken;
use crate::stores::{PATIENCE, Store, bus, listed, priced, record};

on_each_store!(
    a_stop_of_one_shard_leaves_the_others_and_is_skipped_by_all,
    what_is_skipped_by_a_shard_that_is_no_more_is_lost_to_no_other,
    a_sound_engine_takes_over_from_one_whose_shards_have_all_stopped,
    what_one_shard_was_asked_to_skip_the_others_pass_over,
);

/// A row that is not to miss anything: its shard stops at what fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "strict_items")]
struct Strict {
    #[read_model(key)]
    item: ItemId,
    price: i64,
}

#[derive(Debug, thiserror::Error)]
#[error("a price of {0} is below zero")]
struct BelowZero(i64);

/// The next price that fails until it is mended: no other test has it.
static NEXT: AtomicI64 = AtomicI64::new(-1_000);
static MENDED: Mutex<Vec<i64>> = Mutex::new(Vec::new());

#[projection(on_error = stop)]
impl Strict {
    #[on(upsert)]
    fn listed(_: Option<Self>, event: &ItemListed, cx: &EventContext<Self>) -> Self {
        Self { item: cx.key().clone(), price: event.price }
    }

    #[on]
    fn priced(&mut self, event: &PriceChanged) -> Result<(), BelowZero> {
        if event.price < 0 && !MENDED.lock().expect("nobody panics").contains(&event.price) {
            return Err(BelowZero(event.price));
        }
        self.price = event.price;
        Ok(())
    }
}

async fn a_stop_of_one_shard_leaves_the_others_and_is_skipped_by_all(store: impl Store) {
    let bus = bus(&store);
    let engine = builder(&store).register::<Strict>().shards::<Strict>(4);
    let engine = engine.start().await.expect("the engine starts");
    for item in 0..20 {
        record(&bus, &item.to_string(), listed("Ada", 1)).await;
    }
    let bad = record(&bus, "3", priced(-1)).await;
    let of_bad = Shard::of_key("3", 4);
    for item in 0..20 {
        record(&bus, &item.to_string(), priced(7)).await;
    }
    shows(&engine, |status| {
        status.state == ProjectionState::Stopped && status.stopped_at == Some(bad.position)
    })
    .await;
    let prices = async || {
        let rows = ReadModels::new(store.clone()).query::<Strict>().fetch().await;
        rows.expect("rows are read")
    };
    let until = Instant::now() + PATIENCE;
    while prices().await.iter().any(|row| of_bad != Shard::of_key(&row.item.0, 4) && row.price != 7)
    {
        assert!(Instant::now() < until, "{:?}", prices().await);
        tokio::time::sleep(SOON).await;
    }
    let waits = |row: &Strict| Shard::of_key(&row.item.0, 4) != of_bad || row.price == 1;
    assert!(prices().await.iter().all(waits), "{:?}", prices().await);
    engine.skip::<Strict>(bad.position).await.expect("it has stopped there");
    shows(&engine, |status| here(status) == 4 && status.events_behind == 0).await;
    assert!(prices().await.iter().all(|row| row.price == 7), "{:?}", prices().await);
    assert_eq!(engine.skipped::<Strict>().await.expect("it is there").len(), 1);
    engine.shutdown().await.expect("nothing went wrong");
}

/// Keys of two shards of four, of which the second shard of seven has some of both.
fn neighbours() -> (String, String) {
    let of = |key: &str, shards| Shard::of_key(key, shards).index();
    let mut keys = (0..).map(|number: u32| number.to_string());
    let first = keys.find(|key| of(key, 4) == 0 && of(key, 7) == 1).expect("there is one");
    let second = keys.find(|key| of(key, 4) == 1).expect("there is one");
    (first, second)
}

async fn what_is_skipped_by_a_shard_that_is_no_more_is_lost_to_no_other(store: impl Store) {
    let bus = bus(&store);
    let (first, second) = neighbours();
    for key in [&first, &second] {
        record(&bus, key, listed("Ada", 1)).await;
    }
    let bad = [record(&bus, &first, priced(-1)).await, record(&bus, &second, priced(-1)).await];
    record(&bus, &first, priced(7)).await;
    record(&bus, &second, priced(7)).await;
    // So seldom that nobody hears of the new number before the event is skipped.
    let engine = builder(&store).polling(PATIENCE).register::<Strict>();
    let engine = engine.shards::<Strict>(4).start().await.expect("the engine starts");
    // Until both have begun, and stopped: each at its own event.
    let reader = projector::<Strict>().definition().reader(1);
    let until = Instant::now() + PATIENCE;
    let stopped = async || {
        let standing = store.standing(&reader).await.expect("it is there");
        let shards =
            engine.status().await.expect("the store is there").projections.remove(0).shards;
        let runs: Vec<bool> = shards.iter().map(|shard| shard.runs_here).collect();
        runs == [false, false, true, true] && standing.reached.iter().all(Option::is_some)
    };
    while !stopped().await {
        assert!(Instant::now() < until, "{:?}", store.standing(&reader).await);
        tokio::time::sleep(SOON).await;
    }
    store.divide(&reader, Division::FromNow(7)).await.expect("it can be divided");
    // By the shard that it was: of the seven, the one of that number has keys of which some are not as far.
    let skipped = engine.named(Strict::NAME, 1).expect("it runs").skip(bad[1].position).await;
    assert!(skipped.is_err(), "there is no such shard any more");
    // Whoever goes on looks at what is kept.
    engine.resume::<Strict>().await.expect("the store is there");
    for bad in &bad {
        let until = Instant::now() + PATIENCE;
        while engine.skip::<Strict>(bad.position).await.is_err() {
            assert!(Instant::now() < until, "nobody has stopped at {}", bad.position);
            tokio::time::sleep(SOON).await;
        }
    }
    shows(&engine, |status| here(status) == 7 && status.events_behind == 0).await;
    let rows = ReadModels::new(store.clone()).query::<Strict>().fetch().await;
    assert!(rows.expect("rows are read").iter().all(|row| row.price == 7));
    engine.shutdown().await.expect("nothing went wrong");
}

async fn a_sound_engine_takes_over_from_one_whose_shards_have_all_stopped(store: impl Store) {
    let bus = bus(&store);
    let engine = async |name: &str| {
        let builder = builder(&store).name(name).register::<Strict>().shards::<Strict>(4);
        builder.start().await.expect("the engine starts")
    };
    let first = engine("first").await;
    let bad = NEXT.fetch_sub(1, Ordering::Relaxed);
    for price in [1, bad] {
        for item in 0..30 {
            let what = if price == 1 { listed("Ada", 1) } else { priced(price) };
            record(&bus, &item.to_string(), what).await;
        }
    }
    shows(&first, |status| status.state == ProjectionState::Stopped && here(status) == 0).await;
    MENDED.lock().expect("nobody panics").push(bad);
    // As of a newer release: the first would stop there again, if anybody had it go on.
    let second = engine("second").await;
    shows(&second, |status| {
        status.events_behind == 0 && status.shards.iter().all(|shard| shard.owner.is_some())
    })
    .await;
    let rows = ReadModels::new(store.clone()).query::<Strict>().fetch().await;
    assert!(rows.expect("rows are read").iter().all(|row| row.price == bad));
    // Neither is one too many any more: each has its share.
    shows(&first, |status| here(status) == 2 && status.stopped_at.is_none()).await;
    first.shutdown().await.expect("nothing went wrong");
    second.shutdown().await.expect("nothing went wrong");
}

async fn what_one_shard_was_asked_to_skip_the_others_pass_over(store: impl Store) {
    let bus = bus(&store);
    record(&bus, "a", listed("Ada", 1)).await;
    let engine = builder(&store).register::<Strict>().shards::<Strict>(2);
    let engine = engine.start().await.expect("the engine starts");
    shows(&engine, |status| here(status) == 2 && status.events_behind == 0).await;
    let broken = broken(&store, "b").await;
    shows(&engine, |status| status.state == ProjectionState::Stopped && here(status) == 0).await;
    let skip = json!({ "skip": { "position": broken.position } });
    let first = projector::<Strict>().definition().reader(1);
    ask_of(&store, &first, skip, Timestamp::now() + PATIENCE).await;
    shows(&engine, |status| here(status) == 2 && status.events_behind == 0).await;
    engine.shutdown().await.expect("nothing went wrong");
}
