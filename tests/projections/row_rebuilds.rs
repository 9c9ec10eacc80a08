//! Rows that are built anew for whoever has asked: how far that is, that it is cancelled, and that others do not wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::projection::{Operator, ProjectionEngineBuilder, Rebuild, RebuildLoad, RebuildState};
use annals::{CheckpointChange, LogPage, RowChange, UnitOfWorkStore, WriteError};
use annals_testing::conformance::faulty::{Fault, Faulty};

use crate::models::ItemRow;
use crate::on_each_store;
use crate::one_row::OwnPrice;
use crate::stores::{PATIENCE, Store, bus, listed, priced, record};

on_each_store!(
    other_rebuilds_do_not_wait_for_a_row,
    a_row_that_is_cancelled_stays_as_it_is,
    a_row_that_is_left_is_built_by_the_next,
    a_row_that_nobody_builds_is_cancelled,
);

const PAGE: Duration = Duration::from_millis(100);
const EVENTS: u64 = 31;

/// A store whose log is read slowly, once it is so, and that counts the rows which are written then.
#[derive(Clone, Default)]
struct Slow {
    is_slow: Arc<AtomicBool>,
    written: Arc<AtomicUsize>,
}

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for Slow {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError> {
        if self.is_slow.load(Ordering::SeqCst) {
            tokio::time::sleep(PAGE).await;
        }
        store.log_page(read).await
    }

    async fn write_rows(
        &self,
        store: &S,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError> {
        let is_row = |change: &&RowChange| matches!(change, RowChange::Upsert { .. });
        if self.is_slow.load(Ordering::SeqCst) {
            self.written.fetch_add(rows.iter().filter(is_row).count(), Ordering::SeqCst);
        }
        store.write_rows(rows, checkpoint).await
    }
}

fn builder(store: &(impl UnitOfWorkStore + SnapshotStore + Clone)) -> ProjectionEngineBuilder {
    ProjectionEngine::builder(store.clone())
        .register::<ItemRow>()
        .register::<OwnPrice>()
        .batch(4)
        .polling(Duration::from_millis(20))
        .lease(Duration::from_secs(2))
}

struct Scene {
    engine: ProjectionEngine,
    operator: Operator,
    slow: Slow,
}

impl Scene {
    async fn new(store: &impl Store) -> Self {
        let bus = bus(store);
        for number in 0..10 {
            record(&bus, &format!("i-{number}"), listed("Ada", number)).await;
        }
        for price in 11..EVENTS {
            record(&bus, "i-3", priced(i64::try_from(price).expect("it is small"))).await;
        }
        let last = record(&bus, "i-3", priced(99)).await;
        let slow = Slow::default();
        let store = Faulty::new(store.clone(), slow.clone());
        let engine = builder(&store).start().await.expect("the engine starts");
        engine.wait_for::<ItemRow>(&last, PATIENCE).await.expect("it comes there");
        engine.wait_for::<OwnPrice>(&last, PATIENCE).await.expect("it comes there");
        slow.is_slow.store(true, Ordering::SeqCst);
        let operator = builder(&store).operator().expect("nothing clashes");
        Self { engine, operator, slow }
    }

    async fn ask(&self) {
        let asked = self.operator.begin_rebuild_key(ItemRow::NAME, ItemRow::VERSION, "i-3").await;
        assert_eq!(asked.expect("none is under way").state, RebuildState::Asked);
    }

    async fn found(&self, key: Option<&str>) -> Option<Rebuild> {
        let all = self.operator.rebuilds().await.expect("the store is there");
        all.into_iter().find(|rebuild| rebuild.key.as_deref() == key)
    }

    /// Waits until the rebuild of the row is as it should be.
    async fn row(&self, is_so: impl Fn(&Rebuild) -> bool) -> Rebuild {
        let until = Instant::now() + PATIENCE;
        loop {
            let found = self.found(Some("i-3")).await.expect("it was asked for");
            if is_so(&found) {
                return found;
            }
            assert!(Instant::now() < until, "{found:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn other_rebuilds_do_not_wait_for_a_row(store: impl Store) {
    let scene = Scene::new(&store).await;
    scene.ask().await;
    let building = scene.row(|row| row.state == RebuildState::Building).await;
    assert_eq!((building.of, building.by.is_some()), (EVENTS, true), "{building:?}");
    let load = RebuildLoad::unlimited();
    let asked = scene.operator.begin_rebuild(OwnPrice::NAME, OwnPrice::VERSION, load).await;
    asked.expect("none is under way");
    let both = async || {
        let row = scene.row(|_| true).await;
        assert_eq!(row.state, RebuildState::Building, "it is over before the other has begun");
        let all = scene.found(None).await.expect("it was asked for");
        all.state != RebuildState::Asked
    };
    while !both().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let half = scene.row(|row| row.events > 0).await;
    assert!(
        half.events < half.of && half.rate() > 0.0 && half.position > Position::START,
        "{half:?}"
    );
    let done = scene.row(|row| !row.state.is_under_way()).await;
    assert_eq!((done.state, done.events, done.of), (RebuildState::Done, 22, 22), "{done:?}");
    scene.engine.shutdown().await.expect("nothing went wrong");
}

async fn a_row_that_is_cancelled_stays_as_it_is(store: impl Store) {
    let scene = Scene::new(&store).await;
    scene.ask().await;
    scene.row(|row| row.events > 0).await;
    let cancelled = scene.engine.cancel_rebuild_key::<ItemRow>("i-3").await;
    let cancelled = cancelled.expect("it is under way");
    assert_eq!(cancelled.state, RebuildState::Cancelled);
    // Longer than what was left would have taken.
    tokio::time::sleep(PAGE * 10).await;
    let row = scene.row(|_| true).await;
    assert_eq!((row.state, row.events), (RebuildState::Cancelled, cancelled.events), "{row:?}");
    assert_eq!(scene.slow.written.load(Ordering::SeqCst), 0, "the row was written");
    // It can be asked for again.
    scene.ask().await;
    scene.row(|row| row.state == RebuildState::Done).await;
    assert_eq!(scene.slow.written.load(Ordering::SeqCst), 1);
    scene.engine.shutdown().await.expect("nothing went wrong");
}

async fn a_row_that_is_left_is_built_by_the_next(store: impl Store) {
    let scene = Scene::new(&store).await;
    scene.ask().await;
    let left = scene.row(|row| row.events > 0).await;
    let Scene { engine, operator, slow } = scene;
    engine.shutdown().await.expect("nothing went wrong");
    slow.is_slow.store(false, Ordering::SeqCst);
    let engine = builder(&store).name("next").start().await.expect("the engine starts");
    let scene = Scene { engine, operator, slow };
    assert!(left.state.is_under_way());
    let done = scene.row(|row| !row.state.is_under_way()).await;
    assert_eq!((done.state, done.by.as_deref()), (RebuildState::Done, Some("next")), "{done:?}");
    scene.engine.shutdown().await.expect("nothing went wrong");
}

async fn a_row_that_nobody_builds_is_cancelled(store: impl Store) {
    let Scene { engine, operator, slow } = Scene::new(&store).await;
    engine.shutdown().await.expect("nothing went wrong");
    let cancel = async || operator.cancel_rebuild_key(ItemRow::NAME, 1, "i-3").await;
    let none = cancel().await;
    assert!(matches!(none, Err(EngineError::NotRebuilding { .. })), "{none:?}");
    let asked = operator.begin_rebuild_key(ItemRow::NAME, 1, "i-3").await;
    asked.expect("nobody has asked for it");
    let of_all = operator.cancel_rebuild(ItemRow::NAME, 1).await;
    assert!(matches!(of_all, Err(EngineError::NotRebuilding { .. })), "{of_all:?}");
    assert_eq!(cancel().await.expect("it is asked for").state, RebuildState::Cancelled);
    let engine = builder(&store).start().await.expect("the engine starts");
    let scene = Scene { engine, operator, slow };
    tokio::time::sleep(PAGE).await;
    assert_eq!(scene.row(|_| true).await.state, RebuildState::Cancelled);
    scene.engine.shutdown().await.expect("nothing went wrong");
}
