//! Rows that are built anew for whoever has asked: how far that is, that it is cancelled, and that others do not wait for it.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::projection::{Operator, ProjectionEngineBuilder, Rebuild, RebuildLoad, RebuildState};
use annals::{CheckpointChange, LogPage, RowChange, UnitOfWorkStore, WriteError};
use annals_testing::conformance::faulty::{Fault, Faulty};
use tokio::sync::Semaphore;

use crate::models::ItemRow;
use crate::on_each_store;
use crate::one_row::OwnPrice;
use crate::stores::{PATIENCE, Store, bus, listed, priced, record};

on_each_store!(
    other_rebuilds_do_not_wait_for_a_row,
    a_row_that_is_cancelled_stays_as_it_is,
    a_row_that_is_left_is_built_by_the_next,
    a_row_that_nobody_builds_is_cancelled,
    a_row_is_built_no_quicker_than_it_may_be,
    an_owner_that_has_gone_far_ahead_does_not_read_all_of_it,
    a_rebuild_that_panics_has_failed_and_can_be_asked_for_again,
);

const PAGE: Duration = Duration::from_millis(100);
const EVENTS: u64 = 31;

/// A store whose log is read slowly, once it is so, and near its end only when it is let; it counts the rows which are written
/// then.
#[derive(Clone)]
struct Slow {
    is_slow: Arc<AtomicBool>,
    /// Where the pages begin that are not read before: not at the log's end, where projections wait.
    late: Range<Position>,
    is_let: Arc<Semaphore>,
    written: Arc<AtomicUsize>,
}

impl Slow {
    fn new(late: Range<Position>) -> Self {
        let is_let = Arc::new(Semaphore::new(0));
        Self { is_slow: Arc::default(), late, is_let, written: Arc::default() }
    }

    /// Lets the last pages be read.
    fn goes_on(&self) {
        self.is_let.add_permits(1);
    }
}

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for Slow {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError> {
        if self.is_slow.load(Ordering::SeqCst) {
            tokio::time::sleep(PAGE).await;
            if self.late.contains(&read.after) {
                let _let = self.is_let.acquire().await.expect("it is never closed");
            }
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
        .lease(PATIENCE)
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
        let mut late = Position::START;
        for price in 11..EVENTS {
            let next =
                record(&bus, "i-3", priced(i64::try_from(price).expect("it is small"))).await;
            if price == EVENTS - 7 {
                late = next.position;
            }
        }
        let last = record(&bus, "i-3", priced(99)).await;
        let slow = Slow::new(late..last.position);
        let store = Faulty::new(store.clone(), slow.clone());
        let engine = builder(&store).start().await.expect("the engine starts");
        engine.wait_for::<ItemRow>(&last, PATIENCE).await.expect("it comes there");
        engine.wait_for::<OwnPrice>(&last, PATIENCE).await.expect("it comes there");
        slow.is_slow.store(true, Ordering::SeqCst);
        let operator = builder(&store).operator().expect("nothing clashes");
        Self { engine, operator, slow }
    }

    async fn ask(&self) {
        self.ask_within(RebuildLoad::unlimited()).await;
    }

    async fn ask_within(&self, load: RebuildLoad) {
        let (name, version) = (ItemRow::NAME, ItemRow::VERSION);
        let asked = self.operator.begin_rebuild_key(name, version, "i-3", load).await;
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
    let half = scene.row(|row| row.events > 0).await;
    assert!(
        half.events < half.of && half.rate() > 0.0 && half.position > Position::START,
        "{half:?}"
    );
    let load = RebuildLoad::unlimited();
    let asked = scene.operator.begin_rebuild(OwnPrice::NAME, OwnPrice::VERSION, load).await;
    asked.expect("none is under way");
    let until = Instant::now() + PATIENCE;
    while scene.found(None).await.expect("it was asked for").state == RebuildState::Asked {
        assert!(Instant::now() < until, "it waits for the row");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(scene.row(|_| true).await.state, RebuildState::Building);
    scene.slow.goes_on();
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
    scene.slow.goes_on();
    // Longer than what was left would have taken.
    tokio::time::sleep(PAGE * 5).await;
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
    assert!(left.state.is_under_way());
    let engine = builder(&store).name("next").start().await.expect("the engine starts");
    let scene = Scene { engine, operator, slow };
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
    let load = RebuildLoad::unlimited();
    let asked = operator.begin_rebuild_key(ItemRow::NAME, 1, "i-3", load).await;
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

async fn a_row_is_built_no_quicker_than_it_may_be(store: impl Store) {
    let scene = Scene::new(&store).await;
    scene.slow.is_slow.store(false, Ordering::SeqCst);
    // So slow that it never comes to its end.
    let load = RebuildLoad::unlimited().batch(1).pause(Duration::from_hours(1));
    scene.ask_within(load).await;
    let first = scene.row(|row| row.events > 0).await;
    assert_eq!((first.events, first.load), (1, load), "{first:?}");
    // Twice as long as it takes until it is told how far it is.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(scene.row(|_| true).await.events, 1);
    // Whoever does it goes on so at once, with what it has.
    let (load, began) =
        (RebuildLoad::unlimited().batch(2).pause(Duration::from_millis(30)), Instant::now());
    let changed = scene.operator.set_rebuild_key_load(ItemRow::NAME, 1, "i-3", load).await;
    assert_eq!(changed.expect("it is under way").load, load);
    let done = scene.row(|row| !row.state.is_under_way()).await;
    assert_eq!((done.state, done.events, done.load), (RebuildState::Done, 22, load), "{done:?}");
    // At least nine rests between what was left of its own events.
    assert!(began.elapsed() >= Duration::from_millis(270), "{:?}", began.elapsed());
    let over = scene.operator.set_rebuild_key_load(ItemRow::NAME, 1, "i-3", load).await;
    assert!(matches!(over, Err(EngineError::NotRebuilding { .. })), "{over:?}");
    scene.engine.shutdown().await.expect("nothing went wrong");
}

/// A store by which the row's stream grows each time that it is read beside its owner, and is read slowly by that.
#[derive(Clone, Default)]
struct Growing {
    scene: Arc<OnceLock<(CommandBus, ProjectionEngine)>>,
    grown: Arc<AtomicUsize>,
    by_owner: Arc<AtomicUsize>,
}

impl Growing {
    async fn grow(&self, (bus, engine): &(CommandBus, ProjectionEngine)) {
        let mut last = None;
        for _ in 0..3 {
            let price = self.grown.fetch_add(1, Ordering::SeqCst) + 1;
            let price = i64::try_from(price).expect("it is small");
            last = Some(record(bus, "i-3", priced(price)).await);
        }
        let last = last.expect("there is one");
        engine.wait_for::<OwnPrice>(&last, PATIENCE).await.expect("it is not held up");
    }
}

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for Growing {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError> {
        let page = store.log_page(read).await?;
        if let (Some(scene), Some(_)) = (self.scene.get(), &read.filter.streams) {
            let rebuilds = store.rebuilds().await?;
            if rebuilds.iter().any(|row| row.state == RebuildState::Switching) {
                self.by_owner.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(PAGE * 10).await;
            } else if self.by_owner.load(Ordering::SeqCst) == 0 {
                self.grow(scene).await;
            }
        }
        Ok(page)
    }
}

/// What it has not read after a while it leaves to whoever builds the row, and goes on with its own events.
async fn an_owner_that_has_gone_far_ahead_does_not_read_all_of_it(store: impl Store) {
    let (bus, growing) = (bus(&store), Growing::default());
    let first = record(&bus, "i-3", listed("Ada", 0)).await;
    let store = Faulty::new(store, growing.clone());
    let engine = builder(&store).batch(1).start().await.expect("the engine starts");
    engine.wait_for::<OwnPrice>(&first, PATIENCE).await.expect("it comes there");
    growing.scene.set((bus, engine.clone())).expect("it is set once");
    let operator = builder(&store).operator().expect("nothing clashes");
    let (name, version, load) = (OwnPrice::NAME, OwnPrice::VERSION, RebuildLoad::unlimited());
    operator.begin_rebuild_key(name, version, "i-3", load).await.expect("none is under way");
    let until = Instant::now() + PATIENCE;
    let done = loop {
        let all = operator.rebuilds().await.expect("the store is there");
        match all.into_iter().find(|row| !row.state.is_under_way()) {
            Some(done) => break done,
            None => assert!(Instant::now() < until, "it does not come to its end"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let grown = growing.grown.load(Ordering::SeqCst);
    assert_eq!((done.state, done.events), (RebuildState::Done, grown as u64 + 1), "{done:?}");
    assert_eq!(growing.by_owner.load(Ordering::SeqCst), 1, "it reads once, and gives it back");
    let row = engine.read_models().get::<OwnPrice>("i-3").await.expect("the row is read");
    assert_eq!(row.map(|row| row.price), i64::try_from(grown).ok());
    engine.shutdown().await.expect("nothing went wrong");
}

/// A store that panics: as the log is read, or as rows are written.
#[derive(Clone, Default)]
struct Breaks {
    reading: Arc<AtomicBool>,
    writing: Arc<AtomicBool>,
}

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for Breaks {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError> {
        assert!(!self.reading.load(Ordering::SeqCst), "it cannot be read");
        store.log_page(read).await
    }

    async fn write_rows(
        &self,
        store: &S,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError> {
        let is_row = |change: &RowChange| matches!(change, RowChange::Upsert { .. });
        let breaks = self.writing.load(Ordering::SeqCst) && rows.iter().any(is_row);
        assert!(!breaks, "it cannot be written");
        store.write_rows(rows, checkpoint).await
    }
}

async fn a_rebuild_that_panics_has_failed_and_can_be_asked_for_again(store: impl Store) {
    let bus = bus(&store);
    let last = record(&bus, "i-3", listed("Ada", 1)).await;
    let breaks = Breaks::default();
    let store = Faulty::new(store, breaks.clone());
    let engine = builder(&store).start().await.expect("the engine starts");
    // Nothing else reads the log when that breaks.
    engine.wait_for::<ItemRow>(&last, PATIENCE).await.expect("it comes there");
    engine.wait_for::<OwnPrice>(&last, PATIENCE).await.expect("it comes there");
    let operator = builder(&store).operator().expect("nothing clashes");
    let (name, version) = (ItemRow::NAME, ItemRow::VERSION);
    for (key, broken) in [(Some("i-3"), &breaks.reading), (None, &breaks.writing)] {
        let over = async || {
            let load = RebuildLoad::unlimited();
            match key {
                Some(key) => operator.begin_rebuild_key(name, version, key, load).await,
                None => operator.begin_rebuild(name, version, load).await,
            }
            .expect("none is under way");
            let until = Instant::now() + PATIENCE;
            loop {
                let all = operator.rebuilds().await.expect("the store is there");
                let last = all.into_iter().find(|rebuild| rebuild.key.as_deref() == key);
                let last = last.expect("it was asked for");
                if !last.state.is_under_way() {
                    return last;
                }
                assert!(Instant::now() < until, "{last:?}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        broken.store(true, Ordering::SeqCst);
        let failed = over().await;
        let why = failed.error.as_deref().unwrap_or_default();
        assert_eq!(failed.state, RebuildState::Failed, "{failed:?}");
        assert!(why.contains("panicked: it cannot be"), "{why}");
        broken.store(false, Ordering::SeqCst);
        assert_eq!(over().await.state, RebuildState::Done);
    }
    engine.shutdown().await.expect("the projection itself has not stopped");
}
