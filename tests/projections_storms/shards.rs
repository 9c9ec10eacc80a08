//! Shards that two processes share, while one is killed, the other stands still and is woken, the server crashes, and the number of
//! shards changes: each event has its effect on each row once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::projection::{Operator, projector};
use annals::{EventStore, ShardedStore};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use annals_testing::conformance::faulty::Faulty;
use fastrand::Rng;

use crate::flaws::Flaw;
use crate::models::ItemRow;
use crate::process::{EngineProcess, LEASE};
use crate::sabotage::{calm, kill_backends, restart};
use crate::stores::PATIENCE;
use crate::writers::{Fates, beside_writers};
use crate::{TRIES, builder, connect, engine, generation, judged, prepared, weather};

const WRITERS: usize = 2;

/// How often all of it happens at least.
const ROUNDS: u32 = 2;

struct Scene {
    end: PostgresStore,
    operator: Operator,
    rng: Rng,
}

impl Scene {
    /// Changes the number of shards.
    async fn divide(&self, shards: u32) -> Result<(), String> {
        let divided = self.operator.set_shards(ItemRow::NAME, ItemRow::VERSION, shards).await;
        divided.map_err(|error| error.to_string())
    }

    async fn moment(&mut self) {
        tokio::time::sleep(Duration::from_micros(self.rng.u64(..150_000))).await;
    }

    /// Waits until all shards have passed what is there now.
    async fn pass(&self) -> Result<(), String> {
        let head = self.end.head().await.expect("the log is read");
        let until = Instant::now() + PATIENCE * 3;
        loop {
            let reader = annals::CheckpointId::of_projection(
                ItemRow::NAME,
                ItemRow::VERSION,
                generation(&self.end).await,
            );
            let standing = self.end.standing(&reader).await.expect("the store is there");
            if standing.lowest() >= head {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("the log ended at {head}, and the shards are at {standing:?}"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// How many processes have shards.
    async fn owners(&self) -> usize {
        let status = self.end.leases("annals/projection/items/").await;
        let held = status.expect("the store is there").into_iter().filter(|held| held.is_held());
        let of_shards = held.filter(|held| !held.id.name.ends_with("/seats"));
        let mut owners: Vec<String> = of_shards.map(|held| held.engine().to_owned()).collect();
        owners.sort_unstable();
        owners.dedup();
        owners.len()
    }

    /// Waits until both processes have some.
    async fn shared(&self) -> Result<(), String> {
        let until = Instant::now() + PATIENCE;
        while self.owners().await != 2 {
            if Instant::now() > until {
                return Err(format!("{} processes have shards", self.owners().await));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

async fn storm_of_shards(storm: &str, flaw: Flaw) -> Result<(), String> {
    let database = TestDatabase::create().await.expect("a database");
    let url = database.url().to_owned();
    let end = prepared(&url).await;
    let weather = weather(storm);
    let mut rng = Rng::with_seed(weather.seed);
    let operator = engine(Faulty::new(end.clone(), flaw), LEASE).operator();
    let operator = operator.expect("nothing clashes");
    let mut scene = Scene { end, operator, rng: rng.fork() };
    let mut first = EngineProcess::divided(&url, 4);
    let mut second = EngineProcess::divided(&url, 4);
    let until = Instant::now() + weather.length;
    let mut rounds = 0;
    beside_writers(&url, (WRITERS, Fates::All), &mut rng, async || {
        while rounds < ROUNDS || Instant::now() < until {
            scene.shared().await?;
            scene.moment().await;
            scene.divide(7).await?;
            scene.moment().await;
            first.kill();
            scene.moment().await;
            second.stop();
            // Nobody runs it at this moment; one that stands still has leases of seven shards yet.
            scene.divide(2).await?;
            first = EngineProcess::divided(&url, 4);
            tokio::time::sleep(LEASE * 2).await;
            second.wake();
            scene.moment().await;
            scene.divide(4).await?;
            scene.pass().await?;
            std::mem::swap(&mut first, &mut second);
            rounds += 1;
        }
        Ok::<(), String>(())
    })
    .await?;
    println!(
        "storm `{storm}`: {rounds} times killed, stopped and woken, and thrice as often divided"
    );
    judged(storm, &scene.end).await
}

/// Divides beside two engines that share the shards, while any of their sessions is ended, and any of the writers'.
async fn storm_of_shards_and_killed_backends(
    (storm, flaw): (&str, Flaw),
    patience: Duration,
) -> Result<(), String> {
    let database = TestDatabase::create().await.expect("a database");
    let url = database.url();
    let end = prepared(url).await;
    let weather = weather(storm);
    let mut rng = Rng::with_seed(weather.seed);
    let connected = async || {
        let store = builder().patience(patience).connect(url).await;
        Faulty::new(store.expect("the server can be reached"), flaw)
    };
    let mut engines = Vec::new();
    for name in ["one", "two"] {
        let engine = engine(connected().await, LEASE).name(name).shards::<ItemRow>(4);
        engines.push(engine.start().await.expect("the tables are there"));
    }
    let operator = engine(connected().await, LEASE).operator().expect("nothing clashes");
    let (killing, mut pauses) = (rng.fork(), rng.fork());
    let until = Instant::now() + weather.length;
    let divided = beside_writers(url, (WRITERS, Fates::All), &mut rng, async || {
        let dividing = async {
            let mut divided = 0;
            while divided < 6 || Instant::now() < until {
                // What its session's end has cut off is said again, done or not.
                for shards in [7, 2, 4] {
                    while operator
                        .set_shards(ItemRow::NAME, ItemRow::VERSION, shards)
                        .await
                        .is_err()
                    {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                    divided += 1;
                    tokio::time::sleep(Duration::from_micros(pauses.u64(..100_000))).await;
                }
            }
            divided
        };
        tokio::select! {
            () = kill_backends(url, killing) => unreachable!("it has no end of its own"),
            divided = tokio::time::timeout(PATIENCE, dividing) => divided,
        }
    })
    .await;
    let divided = divided.map_err(|_| "the number of shards did not change".to_owned())?;
    calm(url).await;
    println!("storm `{storm}`: {divided} times divided");
    let judged = judged(storm, &end).await;
    for engine in engines {
        engine.shutdown().await.map_err(|error| error.to_string())?;
    }
    judged
}

/// Crashes the server beside two engines that share four shards, and has it come back.
async fn storm_of_shards_and_restarts((storm, flaw): (&str, Flaw)) -> Result<(), String> {
    let database = Arc::new(TestDatabase::on_own_server().await.expect("a database"));
    let url = database.url();
    let end = prepared(url).await;
    let weather = weather(storm);
    let mut rng = Rng::with_seed(weather.seed);
    let mut engines = Vec::new();
    for name in ["one", "two"] {
        let store = Faulty::new(connect(url).await, flaw);
        let engine = engine(store, LEASE).name(name).shards::<ItemRow>(4);
        engines.push(engine.start().await.expect("the tables are there"));
    }
    let restarting = rng.fork();
    beside_writers(url, (WRITERS, Fates::All), &mut rng, async || {
        tokio::select! {
            () = restart(&database, restarting) => {}
            () = tokio::time::sleep(weather.length) => {}
        }
        // A restart that was under way goes on; the next waits for it.
        database.restart_immediately().await.expect("the server comes back");
    })
    .await;
    calm(url).await;
    let judged = judged(storm, &end).await;
    let reader = projector::<ItemRow>().definition().reader(generation(&end).await);
    let standing = end.standing(&reader).await.expect("the store is there");
    for engine in engines {
        engine.shutdown().await.map_err(|error| error.to_string())?;
    }
    assert_eq!(standing.layout.shards, 4, "{standing:?}");
    judged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_shards_and_restarts() {
    let judged = storm_of_shards_and_restarts(("shards, restarts", Flaw::None)).await;
    judged.unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_shards_and_restarts_finds_a_checkpoint_that_is_written_apart() {
    for _ in 0..TRIES {
        let storm = ("shards, restarts, apart", Flaw::Apart);
        if storm_of_shards_and_restarts(storm).await.is_err() {
            return;
        }
    }
    panic!("no event was applied twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_shards_and_killed_backends() {
    // One that says again what was lost, and one that looks at once what became of it.
    for patience in [Duration::from_secs(5), Duration::ZERO] {
        let storm = ("shards, killed backends", Flaw::None);
        let judged = storm_of_shards_and_killed_backends(storm, patience).await;
        judged.unwrap_or_else(|wrong| panic!("with patience for {patience:?}: {wrong}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_shards_and_killed_backends_finds_slices_that_are_done_again() {
    for _ in 0..TRIES {
        let storm = ("shards, killed backends, without floors", Flaw::NoFloors);
        if storm_of_shards_and_killed_backends(storm, Duration::ZERO).await.is_err() {
            return;
        }
    }
    panic!("no event was applied twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_shards() {
    let judged = storm_of_shards("shards", Flaw::None).await;
    judged.unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_shards_finds_new_ones_that_begin_where_the_furthest_is() {
    for _ in 0..TRIES {
        if storm_of_shards("shards, furthest", Flaw::Furthest).await.is_err() {
            return;
        }
    }
    panic!("no event was lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_shards_finds_slices_that_are_done_again() {
    for _ in 0..TRIES {
        if storm_of_shards("shards, without floors", Flaw::NoFloors).await.is_err() {
            return;
        }
    }
    panic!("no event was applied twice");
}
