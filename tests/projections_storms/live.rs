//! A live projection beside sixteen writers, whose sessions are ended, and whose server crashes and comes back.

use std::sync::Arc;
use std::time::Duration;

use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use annals_testing::conformance::faulty::Faulty;
use fastrand::Rng;

use crate::flaws::Flaw;
use crate::sabotage::{add_pauses, calm, kill_backends, restart};
use crate::writers::{Fates, beside_writers};
use crate::{TRIES, builder, engine, judged, prepared, weather};

const WRITERS: usize = 16;

/// Longer than any fault of these storms: who has the lease keeps it.
const LEASE: Duration = Duration::from_secs(10);

/// Runs an engine beside writers whose sessions are ended as much as its own, and says what is wrong with its rows.
async fn storm_of_killed_backends(
    (storm, flaw): (&str, Flaw),
    url: &str,
    end: &PostgresStore,
    patience: Duration,
) -> Result<(), String> {
    let weather = weather(storm);
    let mut rng = Rng::with_seed(weather.seed);
    let store = builder().patience(patience).connect(url).await;
    let store = Faulty::new(store.expect("the server can be reached"), flaw);
    let engine = engine(store, LEASE).start().await.expect("the tables are there");
    let killing = rng.fork();
    beside_writers(url, (WRITERS, Fates::All), &mut rng, async || {
        tokio::select! {
            () = kill_backends(url, killing) => {}
            () = tokio::time::sleep(weather.length) => {}
        }
    })
    .await;
    calm(url).await;
    let judged = judged(storm, end).await;
    let ended = engine.shutdown().await;
    judged.and(ended.map_err(|error| error.to_string()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_killed_backends() {
    let database = TestDatabase::create().await.expect("a database");
    let end = prepared(database.url()).await;
    add_pauses(database.url()).await;
    // One that writes again what was lost, and one that looks at once what became of it.
    for patience in [Duration::from_secs(5), Duration::ZERO] {
        let storm = ("killed backends", Flaw::None);
        let judged = storm_of_killed_backends(storm, database.url(), &end, patience).await;
        judged.unwrap_or_else(|wrong| panic!("with patience for {patience:?}: {wrong}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_killed_backends_finds_a_checkpoint_that_is_written_apart() {
    for _ in 0..TRIES {
        let database = TestDatabase::create().await.expect("a database");
        let end = prepared(database.url()).await;
        let storm = ("killed backends, apart", Flaw::Apart);
        if storm_of_killed_backends(storm, database.url(), &end, Duration::ZERO).await.is_err() {
            return;
        }
    }
    panic!("no event was applied twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_restarts() {
    let database = Arc::new(TestDatabase::on_own_server().await.expect("a database"));
    let url = database.url();
    let end = prepared(url).await;
    add_pauses(url).await;
    let weather = weather("restarts");
    let mut rng = Rng::with_seed(weather.seed);
    let store = builder().connect(url).await.expect("the server can be reached");
    let engine = engine(Faulty::new(store, Flaw::None), LEASE);
    let engine = engine.start().await.expect("the tables are there");
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
    judged("restarts", &end).await.unwrap_or_else(|wrong| panic!("{wrong}"));
    engine.shutdown().await.expect("nothing went wrong");
}
