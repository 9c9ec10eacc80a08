//! Projections in several shards, which engines share, and whose number changes while they run.

use std::time::{Duration, Instant};

use annals::CheckpointId;
use annals::prelude::*;
use annals::projection::{
    ProjectionEngineBuilder, ProjectionState, ProjectionStatus, Rebuild, projector,
};
use annals::shards::Division;

use crate::fold::{folded, keys_of};
use crate::models::{ItemRow, OwnerRenamed, TagCount, What};
use crate::on_each_store;
use crate::stores::{PATIENCE, Store, bus, listed, priced, record, wait};

on_each_store!(
    shards_write_what_one_worker_would_write,
    engines_share_the_shards,
    the_number_changes_while_they_run,
    the_first_number_stays_until_another_is_said,
    parked_events_stay_with_their_keys,
    rows_that_are_built_anew_have_as_many_shards,
    one_row_is_built_anew_by_its_shard,
    a_dry_run_compares_each_row_at_the_position_of_its_shard,
    a_pause_is_one_of_all_shards,
    what_has_no_shards_is_refused,
);

pub const SOON: Duration = Duration::from_millis(20);

pub fn builder(store: &impl Store) -> ProjectionEngineBuilder {
    ProjectionEngine::builder(store.clone())
        .polling(SOON)
        .lease(PATIENCE)
        .retry(RetryPolicy::never())
}

async fn start(store: &impl Store, shards: u32) -> ProjectionEngine {
    let builder = builder(store).register::<ItemRow>().shards::<ItemRow>(shards);
    builder.start().await.expect("the engine starts")
}

/// Events for many rows: of their own, of all of an owner, and some that fail.
async fn feed(bus: &CommandBus, round: i64) -> Receipt {
    for item in 0..40 {
        let name = format!("item {item}");
        record(bus, &name, listed(&format!("owner {}", item % 5), item)).await;
        record(bus, &name, priced(if item % 10 == 9 { -round } else { round * item })).await;
    }
    let renamed = OwnerRenamed { from: "owner 1".into(), to: format!("owner {}", round % 5) };
    record(bus, "item 0", What::Renamed(renamed)).await;
    // Nothing waits for this one.
    record(bus, "item 0", priced(round)).await
}

async fn found(store: &impl Store) -> (Vec<ItemRow>, Vec<(String, u64)>) {
    let entry = store.catalog().await.expect("the store is there").remove(0);
    let parked = store.parked(&entry.reader(), None).await.expect("the store is there");
    let rows = ReadModels::new(store.clone()).query::<ItemRow>().fetch().await;
    (rows.expect("rows are read"), keys_of(parked))
}

/// Waits until all shards have passed the log's end.
async fn settled(store: &impl Store) {
    let (head, until) = (store.head().await.expect("it is there"), Instant::now() + PATIENCE);
    loop {
        let entry = store.catalog().await.expect("the store is there").remove(0);
        let standing = store.standing(&entry.reader()).await.expect("the store is there");
        if standing.lowest() >= head {
            return;
        }
        assert!(Instant::now() < until, "the log ends at {head}: {standing:?}");
        tokio::time::sleep(SOON).await;
    }
}

async fn judged(store: &impl Store) {
    settled(store).await;
    let (found, expected) = (found(store).await, folded(store).await);
    assert!(!expected.1.is_empty(), "nothing was parked");
    assert_eq!(found, expected);
}

/// Waits until a status is as it should be.
pub async fn shows(engine: &ProjectionEngine, is_so: impl Fn(&ProjectionStatus) -> bool) {
    let until = Instant::now() + PATIENCE;
    loop {
        let status = engine.status().await.expect("the store is there");
        let status = &status.projections[0];
        if is_so(status) {
            return;
        }
        assert!(Instant::now() < until, "{status:?}");
        tokio::time::sleep(SOON).await;
    }
}

pub fn here(status: &ProjectionStatus) -> usize {
    status.shards.iter().filter(|shard| shard.runs_here).count()
}

async fn shards_write_what_one_worker_would_write(store: impl Store) {
    let bus = bus(&store);
    feed(&bus, 1).await;
    let engine = start(&store, 4).await;
    feed(&bus, 2).await;
    let last = feed(&bus, 3).await;
    wait(&engine, &last).await;
    judged(&store).await;
    shows(&engine, |status| {
        status.shards.len() == 4 && here(status) == 4 && status.state == ProjectionState::Live
    })
    .await;
    let status = engine.status().await.expect("the store is there").projections.remove(0);
    assert_eq!((status.events_behind, status.parked), (0, found(&store).await.1.len() as u64));
    engine.shutdown().await.expect("nothing went wrong");
    judged(&store).await;
}

async fn engines_share_the_shards(store: impl Store) {
    let bus = bus(&store);
    let one = start(&store, 5).await;
    feed(&bus, 1).await;
    shows(&one, |status| here(status) == 5).await;
    // The number is that of the first start.
    let two = start(&store, 9).await;
    shows(&two, |status| here(status) >= 2 && status.shards.len() == 5).await;
    shows(&one, |status| {
        here(status) <= 3 && status.owner.as_ref().is_some_and(|all| all.contains(", "))
    })
    .await;
    let last = feed(&bus, 2).await;
    wait(&one, &last).await;
    wait(&two, &last).await;
    one.shutdown().await.expect("nothing went wrong");
    shows(&two, |status| here(status) == 5).await;
    feed(&bus, 3).await;
    judged(&store).await;
    two.shutdown().await.expect("nothing went wrong");
}

async fn the_number_changes_while_they_run(store: impl Store) {
    let bus = bus(&store);
    let (one, two) = (start(&store, 4).await, start(&store, 4).await);
    let writer = tokio::spawn({
        let bus = bus.clone();
        async move {
            for round in 1..8 {
                feed(&bus, round).await;
            }
        }
    });
    for shards in [7, 2, 1, 4] {
        one.set_shards::<ItemRow>(shards).await.expect("it can be divided");
        let all = |status: &ProjectionStatus| {
            status.shards.len() == shards as usize
                && status.shards.iter().all(|shard| shard.owner.is_some())
        };
        shows(&one, all).await;
        shows(&two, all).await;
    }
    writer.await.expect("it writes");
    judged(&store).await;
    let last = feed(&bus, 9).await;
    two.named(ItemRow::NAME, 1).expect("it runs").set_shards(3).await.expect("it can be divided");
    wait(&one, &last).await;
    wait(&two, &last).await;
    judged(&store).await;
    one.shutdown().await.expect("nothing went wrong");
    two.shutdown().await.expect("nothing went wrong");
}

async fn the_first_number_stays_until_another_is_said(store: impl Store) {
    let bus = bus(&store);
    let plain = builder(&store).register::<ItemRow>().start().await.expect("the engine starts");
    let last = feed(&bus, 1).await;
    wait(&plain, &last).await;
    shows(&plain, |status| status.shards.len() == 1).await;
    plain.shutdown().await.expect("nothing went wrong");
    // Nobody has said a number yet.
    let four = start(&store, 4).await;
    shows(&four, |status| here(status) == 4 && status.events_behind == 0).await;
    four.set_shards::<ItemRow>(1).await.expect("it can be divided");
    four.shutdown().await.expect("nothing went wrong");
    let again = start(&store, 4).await;
    shows(&again, |status| here(status) == 1 && status.shards.len() == 1).await;
    again.shutdown().await.expect("nothing went wrong");
    judged(&store).await;
}

async fn parked_events_stay_with_their_keys(store: impl Store) {
    let bus = bus(&store);
    let engine = start(&store, 4).await;
    let last = feed(&bus, 1).await;
    wait(&engine, &last).await;
    engine.set_shards::<ItemRow>(3).await.expect("it can be divided");
    let last = feed(&bus, 2).await;
    wait(&engine, &last).await;
    judged(&store).await;
    let before = engine.parked::<ItemRow>().await.expect("the store is there");
    let of_key = |key: &str| before.iter().filter(|event| event.key == key).count() as u64;
    assert!(of_key("item 9") > 1, "{before:?}");
    // The first fails again, and the others wait behind it.
    shows(&engine, |status| here(status) == 3).await;
    let left = engine.retry_parked::<ItemRow>("item 9").await.expect("its shard is here");
    assert_eq!(left, of_key("item 9"));
    let dropped = engine.drop_parked::<ItemRow>("item 9").await.expect("its shard is here");
    assert_eq!(dropped, of_key("item 9"));
    engine.set_shards::<ItemRow>(5).await.expect("it can be divided");
    let last = record(&bus, "item 9", priced(77)).await;
    wait(&engine, &last).await;
    let row = ReadModels::new(store.clone()).get::<ItemRow>("item 9").await;
    assert_eq!(row.expect("rows are read").expect("it is there").price, 77);
    engine.shutdown().await.expect("nothing went wrong");
}

async fn rows_that_are_built_anew_have_as_many_shards(store: impl Store) {
    let bus = bus(&store);
    let (one, two) = (start(&store, 4).await, start(&store, 4).await);
    feed(&bus, 1).await;
    one.set_shards::<ItemRow>(3).await.expect("it can be divided");
    let last = feed(&bus, 2).await;
    wait(&one, &last).await;
    two.rebuild::<ItemRow>().await.expect("it is rebuilt");
    feed(&bus, 3).await;
    shows(&one, |status| {
        let is_run = status.shards.iter().all(|shard| shard.owner.is_some());
        status.generation == 2 && status.shards.len() == 3 && is_run
    })
    .await;
    judged(&store).await;
    let old = projector::<ItemRow>().definition().reader(1);
    assert_eq!(store.standing(&old).await.expect("it is there").layout.shards, 1);
    let rebuild: Vec<Rebuild> = one.operator().rebuilds().await.expect("it is there");
    assert!(!rebuild[0].state.is_under_way(), "{rebuild:?}");
    one.shutdown().await.expect("nothing went wrong");
    two.shutdown().await.expect("nothing went wrong");
}

async fn one_row_is_built_anew_by_its_shard(store: impl Store) {
    let bus = bus(&store);
    let engine = start(&store, 4).await;
    let last = feed(&bus, 1).await;
    wait(&engine, &last).await;
    engine.set_shards::<ItemRow>(6).await.expect("it can be divided");
    shows(&engine, |status| here(status) == 6).await;
    for item in 0..40 {
        let events = engine.rebuild_key::<ItemRow>(format!("item {item}")).await;
        assert!(events.expect("its shard is here") >= 1);
    }
    judged(&store).await;
    engine.shutdown().await.expect("nothing went wrong");
}

async fn a_dry_run_compares_each_row_at_the_position_of_its_shard(store: impl Store) {
    let bus = bus(&store);
    let engine = start(&store, 4).await;
    let last = feed(&bus, 1).await;
    wait(&engine, &last).await;
    engine.shutdown().await.expect("nothing went wrong");
    let operator = builder(&store).register::<ItemRow>().operator().expect("nothing clashes");
    feed(&bus, 2).await;
    // One shard goes on by itself: the others wait for leases that somebody holds, and never come further.
    let reader = projector::<ItemRow>().definition().reader(1);
    let mut held = Vec::new();
    for shard in 0..3 {
        let id = CheckpointId { shard, ..reader.clone() };
        let fence = store.claim_lease(&id, "nobody", Duration::from_hours(1)).await;
        held.push(fence.expect("it is there").expect("it is free"));
    }
    let engine = start(&store, 4).await;
    let head = store.head().await.expect("it is there");
    shows(&engine, |status| status.shards[3].position == head).await;
    let standing = store.standing(&reader).await.expect("it is there");
    assert!(standing.lowest() < head, "{standing:?}");
    let found = operator.rebuild_dry_run(ItemRow::NAME, 1).await.expect("it is folded");
    assert!(found.is_none(), "{found:?}");
    assert_eq!((found.rows, found.position), (40, standing.lowest()));
    engine.shutdown().await.expect("nothing went wrong");
    // The same while slices are further on than their shard.
    store.divide(&reader, Division::FromNow(2)).await.expect("it can be divided");
    let found = operator.rebuild_dry_run(ItemRow::NAME, 1).await.expect("it is folded");
    assert!(found.is_none() && found.rows == 40, "{found:?}");
    let engine = start(&store, 4).await;
    judged(&store).await;
    engine.shutdown().await.expect("nothing went wrong");
}

async fn a_pause_is_one_of_all_shards(store: impl Store) {
    let bus = bus(&store);
    let (one, two) = (start(&store, 4).await, start(&store, 4).await);
    shows(&two, |status| here(status) == 2).await;
    one.pause::<ItemRow>().await.expect("the store is there");
    // The other hears of it by itself; whoever answers has heard of it for each of its shards.
    shows(&two, |status| status.state == ProjectionState::Paused).await;
    two.pause::<ItemRow>().await.expect("the store is there");
    let last = feed(&bus, 1).await;
    let late = one.wait_for::<ItemRow>(&last, SOON * 5).await;
    assert!(matches!(late, Err(ReadModelError::Paused { .. })), "{late:?}");
    assert_eq!(found(&store).await.0, []);
    // The number changes though it is paused, and the new shards are, too.
    one.set_shards::<ItemRow>(3).await.expect("it can be divided");
    shows(&two, |status| status.shards.len() == 3).await;
    assert_eq!(found(&store).await.0, []);
    two.resume::<ItemRow>().await.expect("the store is there");
    wait(&one, &last).await;
    judged(&store).await;
    one.shutdown().await.expect("nothing went wrong");
    two.shutdown().await.expect("nothing went wrong");
}

async fn what_has_no_shards_is_refused(store: impl Store) {
    for (shards, of) in [(0, "there are 1 to 1024"), (1025, "there are 1 to 1024")] {
        let refused = builder(&store).register::<ItemRow>().shards::<ItemRow>(shards).start().await;
        let refused = refused.map(drop).expect_err("it cannot be divided so");
        assert!(refused.to_string().contains(of), "{refused}");
    }
    let refused = builder(&store).register::<ItemRow>().shards::<TagCount>(4).start().await;
    let refused = refused.map(drop).expect_err("it is not registered");
    assert!(matches!(refused, EngineError::NotDivided { .. }), "{refused:?}");
    let engine = start(&store, 2).await;
    let refused = engine.set_shards::<ItemRow>(2000).await.expect_err("there cannot be so many");
    assert!(refused.to_string().contains("2000 shards"), "{refused}");
    let refused = engine.set_shards::<TagCount>(2).await.expect_err("it is not registered");
    assert!(matches!(refused, EngineError::NotRegistered { .. }), "{refused:?}");
    shows(&engine, |status| here(status) == 2).await;
    engine.shutdown().await.expect("nothing went wrong");
}
