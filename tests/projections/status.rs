//! What operators are told, and how little an idle engine asks for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use annals::prelude::*;
use annals::projection::{
    Batch, BatchDone, BatchError, Level, ModelDefinition, ProjectionState, Projector, Thresholds,
};
use annals::{EventFilter, LogPage, Position, ReadAll, UnitOfWorkStore};
use annals_testing::conformance::faulty::{Fault, Faulty};

use crate::models::{ItemRow, Sale, TagCount};
use crate::on_each_store;
use crate::stopped::is;
use crate::stores::{PATIENCE, Slow, Store, bus, listed, priced, record, wait};

on_each_store!(
    time_behind_is_the_age_of_what_was_not_passed,
    a_pause_by_another_engine_stops_one_that_catches_up,
    what_panics_is_told_and_can_be_resumed,
    a_pause_that_nobody_carries_out_is_not_kept,
    each_engine_tells_who_runs_a_projection,
);

async fn time_behind_is_the_age_of_what_was_not_passed(store: impl Store) {
    let bus = bus(&store);
    let thresholds =
        Thresholds { warning: Duration::from_millis(50), critical: Duration::from_millis(100) };
    let start = async || {
        let engine = ProjectionEngine::builder(store.clone())
            .register::<ItemRow>()
            .register::<Sale>()
            .thresholds(thresholds);
        engine.start().await.expect("the engine starts")
    };
    let first = record(&bus, "a", listed("Ada", 1)).await;
    let engine = start().await;
    wait(&engine, &first).await;
    engine.pause::<ItemRow>().await.expect("it is registered");
    engine.pause::<Sale>().await.expect("it is registered");
    engine.shutdown().await.expect("nothing went wrong");
    record(&bus, "a", priced(1)).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    record(&bus, "a", priced(2)).await;
    let engine = start().await;
    is(&engine, ProjectionState::Paused).await;
    let status = engine.status().await.expect("the store is there");
    let items = status.of::<ItemRow>().expect("it is registered");
    assert!(items.time_behind >= Duration::from_millis(200), "{items:?}");
    assert_eq!((items.level, items.events_behind > 0), (Level::Critical, true), "{items:?}");
    assert_eq!(status.level(), Level::Critical);
    // Of these it takes none.
    let sales = status.of::<Sale>().expect("it is registered");
    assert_eq!((sales.time_behind, sales.level), (Duration::ZERO, Level::Normal), "{sales:?}");
}

async fn each_engine_tells_who_runs_a_projection(store: impl Store) {
    let start = async |name: &str| {
        let engine = ProjectionEngine::builder(store.clone()).register::<ItemRow>().name(name);
        engine.start().await.expect("the engine starts")
    };
    let last = record(&bus(&store), "a", listed("Ada", 1)).await;
    let one = start("one").await;
    wait(&one, &last).await;
    let two = start("two").await;
    let told = async |engine: &ProjectionEngine| {
        let status = engine.status().await.expect("the store is there");
        let status = status.of::<ItemRow>().expect("it is registered").clone();
        (status.owner, status.runs_here)
    };
    assert_eq!(told(&one).await, (Some("one".to_owned()), true));
    assert_eq!(told(&two).await, (Some("one".to_owned()), false));
    one.shutdown().await.expect("nothing went wrong");
    while told(&two).await != (Some("two".to_owned()), true) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn a_pause_by_another_engine_stops_one_that_catches_up(store: impl Store) {
    let bus = bus(&store);
    let mut last = None;
    for number in 0..600 {
        last = Some(record(&bus, &format!("i-{number}"), listed("Ada", 1)).await);
    }
    let one =
        ProjectionEngine::builder(Faulty::new(store.clone(), Slow(Duration::from_millis(10))))
            .register::<ItemRow>()
            .polling(Duration::from_millis(50))
            .batch(1);
    let one = one.start().await.expect("the engine starts");
    is(&one, ProjectionState::CatchingUp).await;
    let two = ProjectionEngine::builder(store.clone()).register::<ItemRow>().start().await;
    let two = two.expect("the engine starts");
    two.pause::<ItemRow>().await.expect("it is registered");
    is(&one, ProjectionState::Paused).await;
    let status = one.status().await.expect("the store is there");
    assert!(status.projections[0].position < last.expect("there is one").position);
}

/// Panics as long as it is told to.
struct Panics {
    definition: ModelDefinition,
    is_on: Arc<AtomicBool>,
}

#[async_trait]
impl Projector for Panics {
    fn definition(&self) -> &ModelDefinition {
        &self.definition
    }

    fn filter(&self) -> EventFilter {
        EventFilter::all()
    }

    async fn apply(&self, batch: &Batch<'_>) -> Result<BatchDone, BatchError> {
        assert!(!self.is_on.load(Ordering::SeqCst), "a bug of somebody's");
        batch.store.write_rows(Vec::new(), batch.checkpoint.clone()).await?;
        Ok(BatchDone::default())
    }
}

async fn what_panics_is_told_and_can_be_resumed(store: impl Store) {
    let is_on = Arc::new(AtomicBool::new(true));
    let definition = ModelDefinition::new("panics", 1, None, Vec::new());
    let projector = Arc::new(Panics { definition, is_on: is_on.clone() });
    let engine = ProjectionEngine::builder(store.clone()).register_projector(projector);
    let engine = engine.start().await.expect("the engine starts");
    let receipt = record(&bus(&store), "a", listed("Ada", 1)).await;
    let panics = engine.named("panics", 1).expect("it is registered");
    let told = panics.wait_for(&receipt, PATIENCE).await;
    let Err(ReadModelError::Stopped { reason, .. }) = told else { panic!("{told:?}") };
    assert!(reason.contains("a bug of somebody's"), "{reason}");
    let status = engine.status().await.expect("the store is there").projections.remove(0);
    assert_eq!((status.state, status.level), (ProjectionState::Stopped, Level::Critical));
    assert!(!status.runs_here, "{status:?}");
    is_on.store(false, Ordering::SeqCst);
    panics.resume().await.expect("it is there still");
    panics.wait_for(&receipt, PATIENCE).await.expect("it goes on");
    is_on.store(true, Ordering::SeqCst);
    let receipt = record(&bus(&store), "a", priced(2)).await;
    panics.wait_for(&receipt, PATIENCE).await.expect_err("it has stopped again");
    let told = engine.shutdown().await;
    assert!(matches!(told, Err(EngineError::Stopped { .. })), "{told:?}");
}

async fn a_pause_that_nobody_carries_out_is_not_kept(store: impl Store) {
    let engine = ProjectionEngine::builder(store.clone()).register::<ItemRow>().start().await;
    let engine = engine.expect("the engine starts");
    engine.clone().shutdown().await.expect("nothing went wrong");
    let told = engine.pause::<ItemRow>().await;
    assert!(matches!(told, Err(EngineError::Ended { .. })), "{told:?}");
    assert!(!store.catalog().await.expect("the store is there")[0].paused);
}

/// Counts what is asked of the log.
#[derive(Clone, Default)]
struct Asked {
    pages: Arc<AtomicUsize>,
    waits: Arc<AtomicUsize>,
}

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for Asked {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError> {
        self.pages.fetch_add(1, Ordering::SeqCst);
        store.log_page(read).await
    }

    async fn wait_for_events(&self, store: &S, after: Position) -> Result<(), StoreError> {
        self.waits.fetch_add(1, Ordering::SeqCst);
        store.wait_for_events(after).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_engine_asks_once_for_all_its_projections() {
    let store = annals::MemoryStore::new();
    let bus = bus(&store);
    let last = record(&bus, "a", listed("Ada", 1)).await;
    let asked = Asked::default();
    let engine = ProjectionEngine::builder(Faulty::new(store.clone(), asked.clone()))
        .register::<ItemRow>()
        .register::<TagCount>()
        .register::<Sale>()
        .polling(Duration::from_millis(20));
    let engine = engine.start().await.expect("the engine starts");
    wait(&engine, &last).await;
    engine.wait_for::<TagCount>(&last, PATIENCE).await.expect("it comes there");
    engine.wait_for::<Sale>(&last, PATIENCE).await.expect("it comes there");
    let before = (asked.pages.load(Ordering::SeqCst), asked.waits.load(Ordering::SeqCst));
    tokio::time::sleep(Duration::from_millis(400)).await;
    let after = (asked.pages.load(Ordering::SeqCst), asked.waits.load(Ordering::SeqCst));
    assert!(after.0 - before.0 <= 3, "pages of a log that ends: {before:?}, {after:?}");
    assert!(after.1 - before.1 <= 21, "one waits for all: {before:?}, {after:?}");
    // And it is woken up.
    let next = record(&bus, "a", priced(2)).await;
    wait(&engine, &next).await;
}
