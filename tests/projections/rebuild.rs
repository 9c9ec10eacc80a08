//! Rebuilds: new rows beside the old ones, which go on answering, then one step.

use std::sync::Arc;
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::projection::{ProjectionState, Rebuild, RebuildState};
use annals::{CheckpointChange, RowChange, UnitOfWorkStore, WriteError};
use annals_testing::conformance::faulty::{Fault, Faulty};
use tokio::sync::Semaphore;

use crate::models::ItemRow;
use crate::on_each_store;
use crate::stores::{PATIENCE, Slow, Store, bus, listed, priced, record, wait};

on_each_store!(
    a_rebuild_gives_the_same_rows,
    rows_answer_while_they_are_rebuilt,
    a_rebuild_goes_on_though_nobody_waits_for_it,
    one_rebuild_at_a_time_of_all_engines,
    rebuilds_that_are_dropped_anywhere_come_to_their_end,
    whoever_stands_by_takes_over_and_a_rebuild_ends,
    a_paused_projection_can_be_rebuilt,
    who_built_a_generation_that_is_gone_writes_no_more,
);

async fn start(store: &impl Store) -> ProjectionEngine {
    let engine = ProjectionEngine::builder(store.clone())
        .register::<ItemRow>()
        .batch(100)
        .retry(RetryPolicy::never());
    engine.start().await.expect("the engine starts")
}

async fn rows(engine: &ProjectionEngine) -> Vec<ItemRow> {
    engine.read_models().query::<ItemRow>().fetch().await.expect("rows are read")
}

async fn fill(bus: &CommandBus, events: i64) -> Receipt {
    let mut last = None;
    for number in 0..events {
        let what = if number < 20 { listed("Ada", number) } else { priced(number) };
        last = Some(record(bus, &format!("i-{}", number % 20), what).await);
    }
    last.expect("there is one")
}

async fn a_rebuild_gives_the_same_rows(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store).await);
    fill(&bus, 200).await;
    let last = record(&bus, "i-3", priced(-1)).await;
    let other = record(&bus, "i-4", priced(7)).await;
    wait(&engine, &other).await;
    let before = rows(&engine).await;
    engine.rebuild::<ItemRow>().await.expect("it is the owner");
    assert_eq!(rows(&engine).await, before);
    let parked = engine.parked::<ItemRow>().await.expect("the store is there");
    assert_eq!(parked.iter().map(|event| event.position).collect::<Vec<_>>(), [last.position]);
    let status = engine.status().await.expect("the store is there");
    assert_eq!(status.of::<ItemRow>().expect("it is registered").generation, 2);
    // And it goes on with the new ones.
    let next = record(&bus, "i-4", priced(8)).await;
    wait(&engine, &next).await;
    assert_eq!(
        engine.live::<ItemRow>("i-4").await.expect("it is folded").map(|row| row.price),
        Some(8)
    );
    engine.rebuild::<ItemRow>().await.expect("it is the owner");
}

async fn rows_answer_while_they_are_rebuilt(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store).await);
    let last = fill(&bus, 400).await;
    wait(&engine, &last).await;
    let writer = {
        let bus = bus.clone();
        tokio::spawn(async move {
            let mut last = None;
            for number in 0..100 {
                last = Some(record(&bus, &format!("i-{}", number % 20), priced(number)).await);
            }
            last.expect("there is one")
        })
    };
    let reader = {
        let engine = engine.clone();
        tokio::spawn(async move {
            for _ in 0..100 {
                assert_eq!(rows(&engine).await.len(), 20, "never a row less");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    };
    for _ in 0..3 {
        engine.rebuild::<ItemRow>().await.expect("it is the owner");
    }
    reader.await.expect("the reader saw all rows");
    let last = writer.await.expect("the writer wrote");
    wait(&engine, &last).await;
    for row in rows(&engine).await {
        let live = engine.live::<ItemRow>(&row.item).await.expect("it is folded");
        assert_eq!(live, Some(row));
    }
}

/// Waits until no rebuild of the items is under way.
async fn over(engine: &ProjectionEngine) -> Rebuild {
    let until = Instant::now() + PATIENCE;
    loop {
        let all = engine.operator().rebuilds().await.expect("the store is there");
        let last = all.into_iter().find(|rebuild| rebuild.key.is_none()).expect("it was asked for");
        if !last.state.is_under_way() {
            return last;
        }
        assert!(Instant::now() < until, "{last:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn a_rebuild_goes_on_though_nobody_waits_for_it(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store).await);
    let last = fill(&bus, 200).await;
    wait(&engine, &last).await;
    let before = rows(&engine).await;
    let asked = async {
        while engine.operator().rebuilds().await.expect("the store is there").is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        done = engine.rebuild::<ItemRow>() => done.expect("nothing is wrong with it"),
        () = asked => {}
    }
    assert_eq!(rows(&engine).await, before);
    assert_eq!(over(&engine).await.state, RebuildState::Done);
    engine.rebuild::<ItemRow>().await.expect("it can be done again");
    assert_eq!(rows(&engine).await, before);
}

/// A store that takes the rows of a rebuild only once it is let.
#[derive(Clone)]
struct Held(Arc<Semaphore>);

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for Held {
    async fn write_rows(
        &self,
        store: &S,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError> {
        if !checkpoint.fence.id.name.ends_with("/1") {
            let _let = self.0.acquire().await.expect("it is never closed");
        }
        store.write_rows(rows, checkpoint).await
    }
}

async fn with<S: Store>(store: &S, fault: impl Fault<S> + Clone) -> ProjectionEngine {
    let engine = ProjectionEngine::builder(Faulty::new(store.clone(), fault))
        .register::<ItemRow>()
        .lease(PATIENCE)
        .batch(10);
    engine.start().await.expect("the engine starts")
}

async fn one_rebuild_at_a_time_of_all_engines(store: impl Store) {
    let bus = bus(&store);
    let last = fill(&bus, 300).await;
    let held = Held(Arc::new(Semaphore::new(0)));
    let engine = with(&store, held.clone()).await;
    wait(&engine, &last).await;
    let before = rows(&engine).await;
    let other = start(&store).await;
    let others = async {
        while engine.operator().rebuilds().await.expect("the store is there").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::join!(engine.rebuild::<ItemRow>(), other.rebuild::<ItemRow>())
    };
    let (built, others) = tokio::join!(engine.rebuild::<ItemRow>(), async {
        let others = tokio::time::timeout(PATIENCE, others).await;
        held.0.add_permits(1);
        others
    });
    built.expect("it came first");
    let (second, of_other) = others.expect("they do not wait for it");
    assert!(matches!(second, Err(EngineError::Rebuilding { .. })), "{second:?}");
    assert!(of_other.is_err(), "{of_other:?}");
    assert_eq!(rows(&engine).await, before);
    let last = record(&bus, "i-3", priced(7)).await;
    wait(&engine, &last).await;
    engine.rebuild::<ItemRow>().await.expect("it is alone now");
}

async fn rebuilds_that_are_dropped_anywhere_come_to_their_end(store: impl Store) {
    let bus = bus(&store);
    let last = fill(&bus, 200).await;
    let engine = with(&store, Slow(Duration::from_millis(3))).await;
    wait(&engine, &last).await;
    let before = rows(&engine).await;
    for millis in [1, 20, 45, 60, 75, 80, 85, 90, 95, 100, 110, 120] {
        let patience = Duration::from_millis(millis);
        let dropped = tokio::time::timeout(patience, engine.rebuild::<ItemRow>()).await;
        // What one that was dropped has sent may arrive after the next one was asked for.
        let is_late = matches!(dropped, Ok(Err(EngineError::Rebuilding { .. })));
        assert!(is_late || matches!(dropped, Err(_) | Ok(Ok(()))), "{millis} ms: {dropped:?}");
        assert_eq!(rows(&engine).await, before, "after {millis} ms");
        // One that was dropped before it had asked leaves nothing.
        if !engine.operator().rebuilds().await.expect("the store is there").is_empty() {
            assert_eq!(over(&engine).await.state, RebuildState::Done);
        }
        assert_eq!(rows(&engine).await, before, "after {millis} ms");
    }
    let mut again = engine.rebuild::<ItemRow>().await;
    if matches!(again, Err(EngineError::Rebuilding { .. })) {
        assert_eq!(over(&engine).await.state, RebuildState::Done);
        again = engine.rebuild::<ItemRow>().await;
    }
    again.expect("it can be done again");
    assert_eq!(rows(&engine).await, before);
}

/// Of two engines, either may be the owner of what was built: the rebuild ends, and both tell the same.
async fn whoever_stands_by_takes_over_and_a_rebuild_ends(store: impl Store) {
    let (bus, one) = (bus(&store), start(&store).await);
    record(&bus, "b", listed("Bob", 1)).await;
    record(&bus, "b", priced(-1)).await;
    let last = record(&bus, "a", listed("Ada", 1)).await;
    wait(&one, &last).await;
    let two = start(&store).await;
    for generation in 2..8 {
        one.rebuild::<ItemRow>().await.expect("it is the owner");
        for engine in [&one, &two] {
            let status = engine.status().await.expect("the store is there");
            let status = status.of::<ItemRow>().expect("it is registered");
            assert_eq!((status.generation, status.events_behind), (generation, 0), "{status:?}");
            assert_eq!(status.parked, 1);
            assert_eq!(engine.parked::<ItemRow>().await.expect("the store is there").len(), 1);
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(..40))).await;
    }
    one.shutdown().await.expect("nothing went wrong");
    let last = record(&bus, "a", priced(2)).await;
    wait(&two, &last).await;
}

async fn a_paused_projection_can_be_rebuilt(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store).await);
    let last = record(&bus, "a", listed("Ada", 1)).await;
    wait(&engine, &last).await;
    engine.pause::<ItemRow>().await.expect("it is registered");
    crate::stopped::is(&engine, ProjectionState::Paused).await;
    let new = record(&bus, "b", listed("Bob", 1)).await;
    engine.rebuild::<ItemRow>().await.expect("it is the owner");
    crate::stopped::is(&engine, ProjectionState::Paused).await;
    wait(&engine, &new).await;
    engine.resume::<ItemRow>().await.expect("it is registered");
    let last = record(&bus, "a", priced(2)).await;
    wait(&engine, &last).await;
}

async fn who_built_a_generation_that_is_gone_writes_no_more(store: impl Store) {
    use annals::{CheckpointChange, Position};

    let definition = annals::projection::projector::<ItemRow>().definition().clone();
    store.prepare(&definition).await.expect("the table is made");
    let hour = Duration::from_hours(1);
    let turn = annals::CheckpointId::of_rebuild(&definition.projection, definition.version);
    let claimed = store.claim_lease(&turn, "one", hour).await.expect("the store is there");
    let turn = claimed.expect("nobody rebuilds it");
    let begin = async || store.begin_generation(&definition, &turn).await.expect("it begins");
    let generation = begin().await;
    let reader = definition.reader(generation);
    let claimed = store.claim_lease(&reader, "one", hour).await.expect("the store is there");
    let fence = claimed.expect("it is free");
    let write = async |fence: &annals::Fence| {
        let change = CheckpointChange { fence: fence.clone(), position: Position::from(1) };
        store.write_rows(Vec::new(), change).await
    };
    write(&fence).await.expect("it is the owner");
    assert_eq!(begin().await, generation);
    write(&fence).await.expect_err("what it built is gone");
    let claimed = store.claim_lease(&reader, "two", hour).await.expect("the store is there");
    let other = claimed.expect("it is free");
    write(&fence).await.expect_err("another one builds now");
    write(&other).await.expect("it is the owner");
    // Nor does it switch.
    let switched =
        store.switch_generation(&definition, generation, &fence, Position::from(1)).await;
    switched.expect_err("it has no lease");
}
