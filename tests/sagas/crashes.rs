//! Crashes at every point, found by enumeration: each call of a runner to its store, failing or being the last one, before it has
//! an effect and after, and each call of a step and of an undo, before its effect and after. At the end the outcome is what it is
//! undisturbed, and each effect is there once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::{CheckpointId, Page, UnitOfWork};
use futures::FutureExt;
use serde_json::Value;

use crate::flaws::{Flaw, Flawed};
use crate::scene::{Store, postgres, records, runner, story, until};
use crate::trip::{Backends, Booking, How, Points, trip};
use crate::watched::{Fate, Watch, Watched};

/// What becomes of the call at which a run is disturbed.
const FATES: [Fate; 4] = [Fate::FailsBefore, Fate::FailsAfter, Fate::DiesBefore, Fate::DiesAfter];

/// How a saga fares undisturbed.
#[derive(Debug, Clone, Copy)]
enum Story {
    Completes,
    IsUndone,
    IsParked,
}

impl Story {
    fn backends(self) -> Arc<Backends> {
        let fails = How::Fails(u32::MAX);
        match self {
            Self::Completes => Backends::new([]),
            Self::IsUndone => Backends::new([("mail", fails)]),
            Self::IsParked => Backends::new([("mail", fails.clone()), ("undo hotel", fails)]),
        }
    }
}

/// Disturbs one call of a store.
struct Disturbed {
    calls: AtomicUsize,
    at: usize,
    fate: Fate,
    flawed: Flawed,
}

impl Disturbed {
    fn new(at: usize, fate: Fate, flaw: Flaw) -> Self {
        Self { calls: AtomicUsize::new(0), at, fate, flawed: Flawed::new(flaw) }
    }

    /// Disturbs nothing: only the flaw is there.
    fn nothing(flaw: Flaw) -> Self {
        Self::new(usize::MAX, Fate::Passes, flaw)
    }
}

impl Watch for Disturbed {
    fn fate(&self, _: &'static str, _: Option<&UnitOfWork>) -> Fate {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        match self.fate {
            // Nobody is there any more.
            Fate::DiesBefore | Fate::DiesAfter if call > self.at => Fate::DiesBefore,
            fate if call == self.at => fate,
            _ => Fate::Passes,
        }
    }

    fn changed(&self, work: UnitOfWork) -> (UnitOfWork, Option<UnitOfWork>) {
        (self.flawed.changed(work), None)
    }

    fn page(&self, page: Page) -> Page {
        self.flawed.read(page)
    }
}

/// What a run left: the outcome, the effects in their order, which records there are of each step, and the data.
#[derive(Debug, PartialEq)]
struct Left {
    outcome: SagaOutcome,
    effects: Vec<String>,
    story: Vec<String>,
    data: Value,
}

async fn left(store: &impl Store, backends: &Arc<Backends>, id: &str, flaw: Flaw) -> Left {
    let flawed = Watched::new(store.clone(), Disturbed::nothing(flaw));
    let sagas = runner(&flawed, backends).lease(LEASE).start().await.expect("the store is there");
    let outcome = sagas.run::<Booking>(id, trip()).await.expect("it is run");
    assert_eq!(sagas.resume_all().await.expect("the store is there"), 0, "it is over");
    sagas.shutdown().await;
    let mut story = story(store, "booking", id).await;
    // Who ran it is another in each run.
    story.retain(|record| record != "taken");
    let kept = records(store, "booking", id).await.into_iter().rev();
    let data = kept.map(|(_, content)| content["data"]["json"].clone()).find(Value::is_object);
    Left { outcome, effects: backends.effects(), story, data: data.expect("a log keeps data") }
}

/// How long nobody takes over what a dead runner had.
const LEASE: Duration = Duration::from_millis(100);

/// Waits until the seat of the dead is free, so that each run makes the same calls.
async fn is_alone(store: &impl Store) {
    let seat = CheckpointId { name: "annals/saga/booking".into(), version: 1, shard: 0 };
    until(async || {
        let claimed = store.claim_lease(&seat, "nobody", LEASE).await.expect("the store is there");
        let Some(fence) = claimed else { return false };
        store.release_lease(&fence).await.expect("the store is there");
        true
    })
    .await;
}

/// Runs a saga with a runner that is disturbed; tells whether the point was reached.
async fn disturbed(
    store: &Watched<impl Store, Disturbed>,
    backends: &Arc<Backends>,
    id: &str,
) -> bool {
    let builder = runner(store, backends).lease(LEASE);
    let (watch, points) = (store.watch.clone(), backends.clone());
    let dies = matches!(watch.fate, Fate::DiesBefore | Fate::DiesAfter);
    let is_reached = move || {
        let calls = watch.calls.load(Ordering::SeqCst);
        calls >= watch.at || points.is_struck()
    };
    // A runtime of its own: it takes all tasks along.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let id = id.to_owned();
    let works = runtime.spawn(async move {
        // Where one of the first calls fails, it neither starts nor begins.
        let Ok(sagas) = builder.start().await else { return };
        while sagas.run::<Booking>(&id, trip()).await.is_err() {}
        if dies {
            std::mem::forget(sagas);
        } else {
            sagas.shutdown().await;
        }
    });
    let died = until(async || dies && is_reached());
    tokio::select! {
        ended = works => ended.expect("it does not panic"),
        () = died, if dies => {}
    }
    runtime.shutdown_background();
    is_reached()
}

/// Which calls are disturbed.
#[derive(Debug, Clone, Copy)]
struct Which {
    first: usize,
    every: usize,
}

impl Which {
    const ALL: Self = Self { first: 1, every: 1 };

    /// One in so many, from another one in each run, so that all get their turn; as the environment says, if it does.
    fn some() -> Self {
        let said = |name: &str| std::env::var(name).ok().and_then(|said| said.parse().ok());
        let every = said("ANNALS_CRASH_EVERY").unwrap_or(3).max(1);
        let first = said("ANNALS_CRASH_FIRST").unwrap_or_else(|| fastrand::usize(1..=every)).max(1);
        Self { first, every }
    }

    /// How many of so many calls are disturbed.
    fn among(self, calls: usize) -> usize {
        calls.checked_sub(self.first).map_or(0, |rest| rest / self.every + 1)
    }
}

/// Goes through calls to the store until a run ends before it comes there.
async fn store_calls(store: impl Store, told: Story, fate: Fate, which: Which) -> usize {
    println!("{told:?}, {fate:?}: {which:?}: again by ANNALS_CRASH_FIRST={}", which.first);
    let began = Instant::now();
    let undisturbed = left(&store, &told.backends(), "undisturbed", Flaw::None).await;
    let (mut at, mut points) = (which.first, 0);
    loop {
        let (id, backends) = (format!("{told:?}-{fate:?}-{at}"), told.backends());
        let watch = Disturbed::new(at, fate, Flaw::None);
        let is_reached = disturbed(&Watched::new(store.clone(), watch), &backends, &id).await;
        let left = left(&store, &backends, &id, Flaw::None).await;
        is_alone(&store).await;
        assert_eq!(left, undisturbed, "{told:?}, {fate:?} at call {at}");
        if !is_reached {
            println!("{told:?}, {fate:?}: {points} points in {:?}", began.elapsed());
            return points;
        }
        points += 1;
        at += which.every;
    }
}

/// Goes through the calls of steps and undos, each before its effect and after.
async fn step_calls(store: impl Store, told: Story, flaw: Flaw) -> usize {
    let undisturbed = left(&store, &told.backends(), "undisturbed", Flaw::None).await;
    let mut points = 0;
    for before in [true, false] {
        for at in 1.. {
            let (id, backends) = (format!("{told:?}-{before}-{at}"), told.backends());
            backends.has_keys_anew(flaw == Flaw::KeysAnew);
            backends.strike(Points { at, before });
            let watch = Disturbed::new(usize::MAX, Fate::DiesBefore, flaw);
            let is_reached = disturbed(&Watched::new(store.clone(), watch), &backends, &id).await;
            backends.strike_no_more();
            if is_reached {
                // Before a step is called, the log says so.
                let calls = backends.calls();
                let under_way = calls.last().expect("the program ended in a call");
                let said = under_way.strip_prefix("undo ").map_or_else(
                    || format!("called {under_way}"),
                    |undone| format!("undo called {undone}"),
                );
                let told = story(&store, "booking", &id).await;
                // A runner that lost its lease on a busy machine may have taken its own saga over.
                let last = told.iter().rfind(|record| *record != "taken");
                assert_eq!(last, Some(&said));
            }
            let left = left(&store, &backends, &id, flaw).await;
            is_alone(&store).await;
            assert_eq!(left, undisturbed, "{told:?}, call {at}, before its effect: {before}");
            if !is_reached {
                break;
            }
            points += 1;
        }
    }
    points
}

const STORIES: [Story; 3] = [Story::Completes, Story::IsUndone, Story::IsParked];

async fn on_memory(fate: Fate) {
    for story in STORIES {
        let points = store_calls(MemoryStore::new(), story, fate, Which::ALL).await;
        assert!((10..60).contains(&points), "{points}");
    }
}

async fn on_postgres(fate: Fate) {
    let which = Which::some();
    for story in STORIES {
        let (store, _database) = postgres().await;
        let points = store_calls(store, story, fate, which).await;
        assert!(points >= which.among(10), "{points}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_fails_before() {
    on_memory(FATES[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_fails_after() {
    on_memory(FATES[1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_dies_before() {
    on_memory(FATES[2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_dies_after() {
    on_memory(FATES[3]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_dies_in_each_step() {
    for (story, calls) in STORIES.into_iter().zip([5, 8, 13]) {
        assert_eq!(step_calls(MemoryStore::new(), story, Flaw::None).await, 2 * calls, "{story:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_fails_before() {
    on_postgres(FATES[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_fails_after() {
    on_postgres(FATES[1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_dies_before() {
    on_postgres(FATES[2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_dies_after() {
    on_postgres(FATES[3]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_dies_in_each_step() {
    for (story, calls) in STORIES.into_iter().zip([5, 8, 13]) {
        let (store, _database) = postgres().await;
        assert_eq!(step_calls(store, story, Flaw::None).await, 2 * calls, "{story:?}");
    }
}

/// The enumeration finds what is wrong.
async fn finds(flaw: Flaw, told: Story) {
    let points = AssertUnwindSafe(step_calls(MemoryStore::new(), told, flaw));
    assert!(points.catch_unwind().await.is_err(), "{flaw:?} was not found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_not_there_before_its_call_is_found() {
    finds(Flaw::CalledLate, Story::Completes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_undone_in_reverse_is_found() {
    finds(Flaw::UndoneForward, Story::IsUndone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_that_is_not_as_the_step_left_it_is_found() {
    finds(Flaw::DataLeftOut, Story::Completes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_is_done_again_under_another_key_is_found() {
    finds(Flaw::KeysAnew, Story::Completes).await;
}
