//! The storm of orders, with a process manager in shards whose number changes meanwhile: every order ends as it does without.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use annals::CheckpointId;
use annals::prelude::*;

use crate::fulfilment::Fulfilment;
use crate::scene::{Store, postgres, until};
use crate::storm::{EngineProcess, engine, has_begun, judged, settled, started, storm};

fn reader() -> CheckpointId {
    CheckpointId { name: "annals/process/fulfilment".into(), version: 1, shard: 0 }
}

async fn sharded(store: &impl Store) -> ProcessEngine {
    let engine = engine(store).shards::<Fulfilment>(4).start().await.expect("the store is there");
    assert_eq!(store.standing(&reader()).await.expect("it is read").layout.shards, 4);
    engine
}

/// Changes the number under load: once orders are on their way, and again when more are.
async fn changes(store: &impl Store, engine: &ProcessEngine) {
    for (events, shards) in [(100, 7), (500, 2)] {
        until(async || store.head().await.expect("it is read").get() > events).await;
        let began = Instant::now();
        engine.set_shards::<Fulfilment>(shards).await.expect("it is divided");
        println!("{shards} shards from position {events} on, after {:?}", began.elapsed());
    }
    let standing = store.standing(&reader()).await.expect("it is read");
    assert_eq!(standing.layout.shards, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_is_killed_on_memory() {
    let store = MemoryStore::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let of_first = store.clone();
    let first = runtime.spawn(async move { sharded(&of_first).await });
    let first = first.await.expect("it starts");
    let second = started(&store).await;
    let began = Instant::now();
    let storm = storm(&store, Duration::from_millis(30), async || {
        // All of its tasks at once, wherever they are.
        runtime.shutdown_background();
        drop(first);
    });
    let (wishes, ()) = tokio::join!(storm, changes(&store, &second));
    settled(&store, began, &wishes).await;
    second.shutdown().await.expect("it has not stopped");
    judged(&store, &wishes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_process_is_killed_on_postgres() {
    let (store, database) = postgres().await;
    let operator = sharded(&store).await;
    let first = EngineProcess::start(database.url());
    has_begun(&store).await;
    let second = EngineProcess::start(database.url());
    let began = Instant::now();
    let storm = storm(&store, Duration::from_millis(400), async || drop(first));
    let (wishes, ()) = tokio::join!(storm, changes(&store, &operator));
    operator.shutdown().await.expect("it has not stopped");
    settled(&store, began, &wishes).await;
    drop(second);
    judged(&store, &wishes).await;
}

/// How many engines have shards.
async fn owners(store: &impl Store) -> usize {
    let leases = store.leases(&reader().name).await.expect("they are read");
    let held = leases.iter().filter(|held| held.is_held() && held.id.name == reader().name);
    held.map(|held| held.engine()).collect::<BTreeSet<_>>().len()
}

/// It stands still with its shards, which pass on meanwhile and become others, and finds when it wakes that they are not its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_process_stands_still_and_is_woken_on_postgres() {
    let (store, database) = postgres().await;
    let operator = sharded(&store).await;
    let sleeper = EngineProcess::start(database.url());
    until(async || owners(&store).await == 2).await;
    let began = Instant::now();
    let storm = storm(&store, Duration::from_millis(400), async || {
        sleeper.stop();
        // The others have its shards.
        until(async || owners(&store).await == 1).await;
        sleeper.wake();
    });
    let (wishes, ()) = tokio::join!(storm, changes(&store, &operator));
    until(async || owners(&store).await == 2).await;
    operator.shutdown().await.expect("it has not stopped");
    settled(&store, began, &wishes).await;
    drop(sleeper);
    judged(&store, &wishes).await;
}
