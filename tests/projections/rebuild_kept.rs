//! Rebuilds as a thing of the store: asked for, taken up, resumed, cancelled, and told of.

use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::projection::{Operator, ProjectionState, Rebuild, RebuildLoad, RebuildState};
use annals::{CheckpointChange, CheckpointId, Position};
use annals_testing::conformance::faulty::Faulty;

use crate::models::ItemRow;
use crate::on_each_store;
use crate::stores::{PATIENCE, Slow, Store, bus, listed, priced, record, wait};

on_each_store!(
    what_an_operator_asks_for_an_engine_does,
    a_rebuild_is_resumed_where_it_was_left,
    a_cancelled_rebuild_leaves_the_rows,
    what_an_operator_cancels_stays_cancelled,
    who_cancels_a_rebuild_that_is_over_cancels_no_other,
    a_rebuild_is_not_quicker_than_it_may_be,
    a_rebuild_that_fails_is_not_taken_up_again,
    an_operator_rebuilds_in_a_program_of_its_own,
    a_cancelled_rebuild_that_nobody_does_leaves_no_rows,
    what_is_left_of_a_cancelled_rebuild_goes_with_the_next_engine,
    what_is_left_of_a_cancelled_rebuild_goes_with_prune,
    rows_of_a_log_that_was_restored_are_built_anew,
    a_rebuild_whose_rows_answer_is_done,
);

/// How often engines of these tests look what is asked for.
const SOON: Duration = Duration::from_millis(20);

async fn start(store: &impl Store, pause: Duration) -> ProjectionEngine {
    let engine = ProjectionEngine::builder(Faulty::new(store.clone(), Slow(pause)))
        .register::<ItemRow>()
        .polling(SOON)
        .lease(PATIENCE)
        .batch(10)
        .retry(RetryPolicy::never());
    engine.start().await.expect("the engine starts")
}

fn operator(store: &impl Store) -> Operator {
    let operator = ProjectionEngine::builder(store.clone()).register::<ItemRow>().polling(SOON);
    operator.operator().expect("nothing clashes")
}

/// What never comes to its end, unless it is let.
fn endless() -> RebuildLoad {
    RebuildLoad::unlimited().batch(10).pause(Duration::from_hours(1))
}

async fn rows(store: &impl Store) -> Vec<ItemRow> {
    let models = ReadModels::new(store.clone());
    models.query::<ItemRow>().fetch().await.expect("rows are read")
}

async fn fill(bus: &CommandBus, events: i64) -> Receipt {
    let mut last = None;
    for number in 0..events {
        let what = if number < 20 { listed("Ada", number) } else { priced(number) };
        last = Some(record(bus, &format!("i-{}", number % 20), what).await);
    }
    last.expect("there is one")
}

/// The rebuild of all rows, once it is as it is asked.
async fn once(operator: &Operator, is_asked: impl Fn(&Rebuild) -> bool) -> Rebuild {
    let until = Instant::now() + PATIENCE;
    loop {
        let all = operator.rebuilds().await.expect("the store is there");
        let last = all.into_iter().find(|rebuild| rebuild.key.is_none()).expect("it was asked for");
        if is_asked(&last) {
            return last;
        }
        assert!(Instant::now() < until, "{last:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn generation(operator: &Operator) -> (u32, Option<u32>) {
    let entry = operator.catalog().await.expect("the store is there").remove(0);
    (entry.generation, entry.building)
}

async fn what_an_operator_asks_for_an_engine_does(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store, Duration::ZERO).await);
    let last = fill(&bus, 100).await;
    wait(&engine, &last).await;
    let (before, operator) = (rows(&store).await, operator(&store));
    let begun = operator.begin_rebuild("items", 1, endless()).await;
    assert_eq!(begun.expect("it is registered").state, RebuildState::Asked);
    let again = operator.begin_rebuild("items", 1, RebuildLoad::unlimited()).await;
    assert!(matches!(again, Err(EngineError::Rebuilding { .. })), "{again:?}");
    let goes_on = operator.set_rebuild_load("items", 1, RebuildLoad::unlimited()).await;
    goes_on.expect("it is under way");
    let done = once(&operator, |rebuild| !rebuild.state.is_under_way()).await;
    assert_eq!((done.state, done.events, done.of), (RebuildState::Done, 100, 100), "{done:?}");
    assert_eq!(done.left(), Some(Duration::ZERO));
    assert_eq!(generation(&operator).await, (2, None));
    assert_eq!(rows(&store).await, before);
    // The engine goes on with the new rows, and tells of it.
    let last = record(&bus, "i-3", priced(7)).await;
    wait(&engine, &last).await;
    crate::stopped::is(&engine, ProjectionState::Live).await;
    let status = engine.status().await.expect("the store is there");
    let status = status.of::<ItemRow>().expect("it is registered");
    assert_eq!(status.generation, 2);
    assert_eq!(status.rebuild.as_ref().map(|rebuild| rebuild.state), Some(RebuildState::Done));
    let unknown = operator.begin_rebuild("items", 2, RebuildLoad::unlimited()).await;
    assert!(matches!(unknown, Err(EngineError::NotRegistered { .. })), "{unknown:?}");
}

async fn a_rebuild_is_resumed_where_it_was_left(store: impl Store) {
    let (bus, one) = (bus(&store), start(&store, Duration::from_millis(10)).await);
    let last = fill(&bus, 300).await;
    wait(&one, &last).await;
    let (before, operator) = (rows(&store).await, operator(&store));
    one.begin_rebuild::<ItemRow>(endless()).await.expect("it is registered");
    let left = once(&operator, |rebuild| rebuild.events > 0).await;
    assert_eq!((left.state, left.of), (RebuildState::Building, 300), "{left:?}");
    assert!(left.rate() > 0.0 && left.left() > Some(Duration::ZERO), "{left:?}");
    one.shutdown().await.expect("nothing went wrong");
    let left = once(&operator, |_| true).await;
    assert_eq!(left.state, RebuildState::Building, "an engine that ends leaves it to the next");
    assert_eq!(generation(&operator).await, (1, Some(2)));
    assert_eq!(rows(&store).await, before);

    let two = start(&store, Duration::ZERO).await;
    // Begun anew, it would rest before it comes as far.
    once(&operator, |rebuild| rebuild.by != left.by && rebuild.events > left.events).await;
    let goes_on = operator.set_rebuild_load("items", 1, RebuildLoad::unlimited()).await;
    goes_on.expect("it is under way");
    let done = once(&operator, |rebuild| !rebuild.state.is_under_way()).await;
    assert_eq!((done.state, done.events), (RebuildState::Done, 300), "{done:?}");
    assert_eq!(generation(&operator).await, (2, None));
    assert_eq!(rows(&store).await, before);
    two.shutdown().await.expect("nothing went wrong");
}

async fn a_cancelled_rebuild_leaves_the_rows(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store, Duration::ZERO).await);
    let last = fill(&bus, 200).await;
    wait(&engine, &last).await;
    let (before, operator) = (rows(&store).await, operator(&store));
    let none = operator.cancel_rebuild("items", 1).await;
    assert!(matches!(none, Err(EngineError::NotRebuilding { .. })), "{none:?}");
    let rebuilding = engine.operator().rebuild("items", 1, endless());
    let cancelling = async {
        while operator.rebuilds().await.expect("the store is there").is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        once(&operator, |rebuild| rebuild.events > 0).await;
        operator.cancel_rebuild("items", 1).await
    };
    let (rebuilt, cancelled) = tokio::join!(rebuilding, cancelling);
    assert!(matches!(rebuilt, Err(EngineError::RebuildCancelled { .. })), "{rebuilt:?}");
    assert_eq!(cancelled.expect("it was under way").state, RebuildState::Cancelled);
    assert_eq!(generation(&operator).await, (1, None));
    assert_eq!(rows(&store).await, before);
    engine.rebuild::<ItemRow>().await.expect("it can be done again");
    assert_eq!(generation(&operator).await, (2, None));
    assert_eq!(rows(&store).await, before);
}

async fn what_an_operator_cancels_stays_cancelled(store: impl Store) {
    let bus = bus(&store);
    fill(&bus, 50).await;
    start(&store, Duration::ZERO).await.shutdown().await.expect("nothing went wrong");
    let operator = operator(&store);
    let begun = operator.begin_rebuild("items", 1, RebuildLoad::unlimited()).await;
    begun.expect("nobody runs it, and it is asked for all the same");
    operator.cancel_rebuild("items", 1).await.expect("it is asked for");
    let engine = start(&store, Duration::ZERO).await;
    let last = record(&bus, "i-3", priced(7)).await;
    wait(&engine, &last).await;
    // Longer than it takes an engine to look.
    tokio::time::sleep(SOON * 5).await;
    let cancelled = once(&operator, |_| true).await;
    assert_eq!((cancelled.state, cancelled.by), (RebuildState::Cancelled, None));
    assert_eq!(generation(&operator).await, (1, None));
}

async fn who_cancels_a_rebuild_that_is_over_cancels_no_other(store: impl Store) {
    start(&store, Duration::ZERO).await.shutdown().await.expect("nothing went wrong");
    let operator = operator(&store);
    let of_all = async || operator.begin_rebuild("items", 1, endless()).await;
    let of_row = async || operator.begin_rebuild_key("items", 1, "i-3", endless()).await;
    for is_row in [false, true] {
        let begin = async || if is_row { of_row().await } else { of_all().await };
        let seen = begin().await.expect("nobody has asked for it");
        let over = operator.cancel_seen_rebuild(&seen).await.expect("it is asked for");
        assert_eq!((over.state, over.asked_at), (RebuildState::Cancelled, seen.asked_at));
        let other = begin().await.expect("the first is over");
        let late = operator.cancel_seen_rebuild(&seen).await;
        let Err(EngineError::OtherRebuild { asked_at, .. }) = late else { panic!("{late:?}") };
        assert_eq!(asked_at, other.asked_at);
        let kept = operator.rebuilds().await.expect("the store is there");
        let kept = kept.into_iter().find(|kept| kept.key == other.key);
        assert_eq!(kept.as_ref(), Some(&other), "it goes on");
        operator.cancel_seen_rebuild(&other).await.expect("it is asked for");
        let none = operator.cancel_seen_rebuild(&other).await;
        assert!(matches!(none, Err(EngineError::NotRebuilding { .. })), "{none:?}");
    }
}

async fn a_rebuild_is_not_quicker_than_it_may_be(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store, Duration::ZERO).await);
    let last = fill(&bus, 100).await;
    wait(&engine, &last).await;
    let began = Instant::now();
    let load = RebuildLoad::unlimited().events_per_second(200).batch(10);
    engine.operator().rebuild("items", 1, load).await.expect("nothing is wrong with it");
    // Nobody rests after the last batch.
    assert!(began.elapsed() >= Duration::from_millis(450), "{:?}", began.elapsed());
    let done = once(engine.operator(), |_| true).await;
    assert!(done.rate() <= 225.0, "{} events a second", done.rate());
}

async fn a_rebuild_that_fails_is_not_taken_up_again(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store, Duration::ZERO).await);
    let last = fill(&bus, 30).await;
    wait(&engine, &last).await;
    let broken = crate::stopped::broken(&store, "b").await;
    crate::stopped::is(&engine, ProjectionState::Stopped).await;
    let operator = operator(&store);
    let begun = operator.begin_rebuild("items", 1, RebuildLoad::unlimited()).await;
    begun.expect("it is asked for");
    let failed = once(&operator, |rebuild| !rebuild.state.is_under_way()).await;
    assert_eq!(failed.state, RebuildState::Failed);
    let reason = failed.error.clone().unwrap_or_default();
    assert!(reason.contains(&format!("at position {}", broken.position)), "{reason}");
    assert_eq!(generation(&operator).await, (1, None));
    tokio::time::sleep(SOON * 5).await;
    assert_eq!(once(&operator, |_| true).await, failed);
}

async fn an_operator_rebuilds_in_a_program_of_its_own(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store, Duration::ZERO).await);
    let last = fill(&bus, 60).await;
    wait(&engine, &last).await;
    engine.shutdown().await.expect("nothing went wrong");
    let (before, operator) = (rows(&store).await, operator(&store));
    operator.rebuild("items", 1, RebuildLoad::unlimited()).await.expect("nobody runs it");
    assert_eq!(generation(&operator).await, (2, None));
    assert_eq!(rows(&store).await, before);
    // Nobody has to wait for a lease that it left.
    let engine = start(&store, Duration::ZERO).await;
    let last = record(&bus, "i-3", priced(7)).await;
    wait(&engine, &last).await;
    engine.shutdown().await.expect("nothing went wrong");
}

/// A rebuild whose engine has ended half-way.
async fn left_half_built(store: &impl Store) -> Operator {
    let (bus, engine) = (bus(store), start(store, Duration::from_millis(10)).await);
    let last = fill(&bus, 100).await;
    wait(&engine, &last).await;
    let operator = operator(store);
    engine.begin_rebuild::<ItemRow>(endless()).await.expect("it is registered");
    once(&operator, |rebuild| rebuild.events > 0).await;
    engine.shutdown().await.expect("nothing went wrong");
    let left = once(&operator, |_| true).await;
    assert_eq!(left.state, RebuildState::Building);
    assert_eq!(generation(&operator).await, (1, Some(2)));
    operator
}

async fn a_cancelled_rebuild_that_nobody_does_leaves_no_rows(store: impl Store) {
    let operator = left_half_built(&store).await;
    operator.cancel_rebuild("items", 1).await.expect("it was left");
    assert_eq!(generation(&operator).await, (1, None));
}

async fn what_is_left_of_a_cancelled_rebuild_goes_with_the_next_engine(store: impl Store) {
    let operator = left_half_built(&store).await;
    // As an engine leaves it that died.
    let turn =
        CheckpointId { name: "annals/projection/items/rebuild".to_owned(), version: 1, shard: 0 };
    let held = store.claim_lease(&turn, "dead", PATIENCE).await.expect("the store is there");
    let held = held.expect("it is free");
    operator.cancel_rebuild("items", 1).await.expect("it was left");
    assert_eq!(generation(&operator).await, (1, Some(2)), "nobody knows that it is dead");
    let engine = start(&store, Duration::ZERO).await;
    store.release_lease(&held).await.expect("it is held");
    let until = Instant::now() + PATIENCE;
    while generation(&operator).await != (1, None) {
        assert!(Instant::now() < until, "it stays");
        tokio::time::sleep(SOON).await;
    }
    assert_eq!(once(&operator, |_| true).await.state, RebuildState::Cancelled);
    engine.rebuild::<ItemRow>().await.expect("it can be done again");
    assert_eq!(generation(&operator).await, (2, None));
    engine.shutdown().await.expect("nothing went wrong");
}

async fn what_is_left_of_a_cancelled_rebuild_goes_with_prune(store: impl Store) {
    let operator = left_half_built(&store).await;
    operator.prune().await.expect("the store is there");
    assert_eq!(generation(&operator).await, (1, Some(2)), "it is under way");
    let turn = CheckpointId::of_rebuild("items", 1);
    let held = store.claim_lease(&turn, "dead", PATIENCE).await.expect("the store is there");
    let held = held.expect("it is free");
    operator.cancel_rebuild("items", 1).await.expect("it was left");
    assert_eq!(generation(&operator).await, (1, Some(2)), "nobody knows that it is dead");
    store.release_lease(&held).await.expect("it is held");
    operator.prune().await.expect("the store is there");
    assert_eq!(generation(&operator).await, (1, None));
}

async fn rows_of_a_log_that_was_restored_are_built_anew(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store, Duration::ZERO).await);
    let last = fill(&bus, 30).await;
    wait(&engine, &last).await;
    engine.shutdown().await.expect("nothing went wrong");
    // As a backup of the log leaves them that is older than they are.
    let reader = CheckpointId::of_projection("items", 1, 1);
    let fence = store.claim_lease(&reader, "person", PATIENCE).await.expect("the store is there");
    let fence = fence.expect("nobody has it");
    let beyond = Position::from(last.position.get() + 1_000);
    let change = CheckpointChange { fence: fence.clone(), position: beyond };
    store.write_rows(Vec::new(), change).await.expect("the store is there");
    store.release_lease(&fence).await.expect("it is held");
    let (before, operator) = (rows(&store).await, operator(&store));
    let rebuilt = operator.rebuild("items", 1, RebuildLoad::unlimited());
    let rebuilt = tokio::time::timeout(PATIENCE, rebuilt).await;
    rebuilt.expect("it waits for no event that is gone").expect("nothing is wrong with it");
    assert_eq!(rows(&store).await, before);
    assert_eq!(store.checkpoint(&reader).await.expect("the store is there"), None);
}

async fn a_rebuild_whose_rows_answer_is_done(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store, Duration::ZERO).await);
    let last = fill(&bus, 30).await;
    wait(&engine, &last).await;
    engine.rebuild::<ItemRow>().await.expect("nothing is wrong with it");
    engine.shutdown().await.expect("nothing went wrong");
    // As an engine leaves it that dies once the rows answer.
    let operator = operator(&store);
    let mut left = once(&operator, |_| true).await;
    left.state = RebuildState::Switching;
    assert!(store.keep_rebuild(&left).await.expect("the store is there"));
    let engine = start(&store, Duration::ZERO).await;
    once(&operator, |rebuild| rebuild.state == RebuildState::Done).await;
    assert_eq!(generation(&operator).await, (2, None), "it was built once more");
    engine.shutdown().await.expect("nothing went wrong");
}
