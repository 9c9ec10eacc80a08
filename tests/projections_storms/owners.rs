//! Owners that are killed, stand still, or go: one at a time writes, and each event has its effect once.

use std::time::{Duration, Instant};

use annals::prelude::*;
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use annals_testing::conformance::faulty::Faulty;
use fastrand::Rng;

use crate::flaws::Flaw;
use crate::models::ItemRow;
use crate::process::{EngineProcess, LEASE};
use crate::stores::PATIENCE;
use crate::writers::{Fates, beside_writers};
use crate::{TRIES, audit, connect, engine, judged, prepared, weather};

const WRITERS: usize = 4;

/// How often an owner is killed at least, or put to sleep.
const ROUNDS: u32 = 3;

/// The server and what is written down about it.
struct Scene {
    database: TestDatabase,
    end: PostgresStore,
    rng: Rng,
    until: Instant,
}

impl Scene {
    async fn new(storm: &str) -> Self {
        let database = TestDatabase::create().await.expect("a database");
        let end = prepared(database.url()).await;
        audit::begin(&end).await;
        let weather = weather(storm);
        let until = Instant::now() + weather.length;
        Self { database, end, rng: Rng::with_seed(weather.seed), until }
    }

    fn goes_on(&self, rounds: u32) -> bool {
        rounds < ROUNDS || Instant::now() < self.until
    }

    /// Waits for the end, and says what is wrong.
    async fn judged(&self, storm: &str) -> Result<(), String> {
        judged(storm, &self.end).await?;
        audit::judged(&self.end).await
    }
}

/// Kills the owner while it writes, again and again; another takes over each time.
async fn storm_of_killed_owners(storm: &str, flaw: Flaw) -> Result<(), String> {
    let mut scene = Scene::new(storm).await;
    let url = scene.database.url().to_owned();
    let mut rng = scene.rng.fork();
    let started = |number: usize| {
        let name = format!("owner-{number}");
        (EngineProcess::start(&audit::named(&url, &name), flaw), name)
    };
    let mut processes = vec![started(0), started(1)];
    let mut killed = 0;
    beside_writers(&url, (WRITERS, Fates::All), &mut rng, async || {
        let mut is_owner = audit::wait_for_writer(&scene.end, |_| true).await?;
        while scene.goes_on(killed) {
            tokio::time::sleep(Duration::from_micros(scene.rng.u64(..60_000))).await;
            let of_owner = processes.iter().position(|(_, name)| *name == is_owner);
            let (mut owner, _) = processes.swap_remove(of_owner.expect("it is one of them"));
            owner.kill();
            killed += 1;
            processes.push(started(1 + killed as usize));
            is_owner = audit::wait_for_writer(&scene.end, |writer| {
                processes.iter().any(|(_, name)| name == writer)
            })
            .await?;
        }
        Ok::<(), String>(())
    })
    .await?;
    println!("storm `{storm}`: {killed} owners were killed");
    scene.judged(storm).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_killed_owners() {
    let judged = storm_of_killed_owners("killed owners", Flaw::None).await;
    judged.unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_killed_owners_finds_a_checkpoint_that_is_written_apart() {
    for _ in 0..TRIES {
        if storm_of_killed_owners("killed owners, apart", Flaw::Apart).await.is_err() {
            return;
        }
    }
    panic!("no event was applied twice");
}

/// Puts the owner to sleep until another has taken over, and wakes it; then the other goes.
async fn storm_of_sleeping_owners(storm: &str, flaw: Flaw) -> Result<(), String> {
    let mut scene = Scene::new(storm).await;
    let url = scene.database.url().to_owned();
    let mut rng = scene.rng.fork();
    let sleeper = EngineProcess::start(&audit::named(&url, "sleeper"), flaw);
    let mut slept = 0;
    beside_writers(&url, (WRITERS, Fates::All), &mut rng, async || {
        while scene.goes_on(slept) {
            // Whether it begins or another has gone before: it takes over.
            audit::wait_for_writer(&scene.end, |writer| writer == "sleeper").await?;
            let name = format!("other-{slept}");
            let other = connect(&audit::named(&url, &name)).await;
            // Until it goes, it does not give way again.
            let other = engine(other, PATIENCE).start().await.expect("the tables are there");
            tokio::time::sleep(Duration::from_micros(scene.rng.u64(..20_000))).await;
            sleeper.stop();
            audit::wait_for_writer(&scene.end, |writer| writer == name).await?;
            sleeper.wake();
            // Time to write what it was about to, and to find that it must not.
            tokio::time::sleep(LEASE).await;
            audit::wait_for_writer(&scene.end, |writer| writer == name).await?;
            other.shutdown().await.map_err(|error| error.to_string())?;
            slept += 1;
        }
        audit::wait_for_writer(&scene.end, |writer| writer == "sleeper").await?;
        Ok::<(), String>(())
    })
    .await?;
    println!("storm `{storm}`: the owner slept {slept} times");
    scene.judged(storm).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_sleeping_owners() {
    let judged = storm_of_sleeping_owners("sleeping owners", Flaw::None).await;
    judged.unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_sleeping_owners_finds_a_fence_that_is_not_asked() {
    for _ in 0..TRIES {
        if storm_of_sleeping_owners("sleeping owners, unfenced", Flaw::Unfenced).await.is_err() {
            return;
        }
    }
    panic!("nobody wrote after another had taken over");
}

/// How soon another is the owner once the first has given its lease up; the lease itself would last ten times as long.
const AT_ONCE: Duration = Duration::from_secs(30);

async fn becomes_owner(engine: &ProjectionEngine) {
    let until = Instant::now() + PATIENCE;
    loop {
        let status = engine.status().await.expect("the store is there");
        let status = status.of::<ItemRow>().expect("it is registered");
        if status.runs_here {
            return;
        }
        assert!(Instant::now() < until, "{status:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Two engines at once; whoever is the owner goes, and the other takes over.
async fn storm_of_successions(storm: &str, flaw: Flaw) -> Result<(), String> {
    let scene = Scene::new(storm).await;
    let url = scene.database.url().to_owned();
    let mut rng = scene.rng.clone();
    let start = async |number: u32| {
        let store = connect(&audit::named(&url, &format!("engine-{number}"))).await;
        let engine = engine(Faulty::new(store, flaw), AT_ONCE * 10);
        engine.start().await.expect("the tables are there")
    };
    let mut slowest = Duration::ZERO;
    let mut owner = start(0).await;
    becomes_owner(&owner).await;
    let mut other = start(1).await;
    let mut gone = 0;
    let engines = beside_writers(&url, (WRITERS, Fates::All), &mut rng, async || {
        while scene.goes_on(gone) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let began = Instant::now();
            owner.shutdown().await.map_err(|error| error.to_string())?;
            becomes_owner(&other).await;
            slowest = slowest.max(began.elapsed());
            gone += 1;
            owner = other;
            other = start(gone + 1).await;
        }
        Ok::<_, String>([owner, other])
    })
    .await?;
    println!("storm `{storm}`: {gone} owners went, and another was there in {slowest:?}");
    let judged = scene.judged(storm).await;
    for engine in engines {
        engine.shutdown().await.map_err(|error| error.to_string())?;
    }
    assert!(slowest < AT_ONCE, "{slowest:?}");
    judged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_successions() {
    let judged = storm_of_successions("successions", Flaw::None).await;
    judged.unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_successions_finds_two_owners_at_once() {
    for _ in 0..TRIES {
        if storm_of_successions("successions, unowned", Flaw::Unowned).await.is_err() {
            return;
        }
    }
    panic!("no event was applied twice");
}
