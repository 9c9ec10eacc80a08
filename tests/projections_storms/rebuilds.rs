//! Rebuilds beside writers: the rows that answer are all there at any time, and are those of a fold in the end.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::projection::{RebuildLoad, RebuildState, projector};
use annals::{ShardedStore, WriteError};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use fastrand::Rng;

use crate::models::{ItemId, ItemRow};
use crate::process::EngineProcess;
use crate::sabotage::{calm, kill_backends};
use crate::stores::PATIENCE;
use crate::writers::{Fates, ITEMS, beside_writers};
use crate::{builder, connect, engine, generation, judged, prepared, weather};

const WRITERS: usize = 8;

const LEASE: Duration = Duration::from_secs(5);

/// Reads all rows over and over; each time all are there, and none is what it was before. It has no end of its own.
async fn read_rows(store: &PostgresStore) {
    let models = ReadModels::new(store.clone());
    let mut seen: HashMap<ItemId, u32> = HashMap::new();
    loop {
        // A session that was ended has read nothing.
        if let Ok(rows) = models.query::<ItemRow>().fetch().await {
            assert!(rows.len() >= seen.len(), "{} rows after {}", rows.len(), seen.len());
            for ItemRow { item, changes, .. } in rows {
                let before = seen.insert(item.clone(), changes);
                assert!(before <= Some(changes), "{item}: {changes} changes after {before:?}");
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Rebuilds while sessions are ended, on a store that bears a lost connection for as long as it is told.
async fn storm_of_rebuilds(storm: &str, patience: Duration) {
    let database = TestDatabase::create().await.expect("a database");
    let url = database.url();
    let end = prepared(url).await;
    let weather = weather(storm);
    let mut rng = Rng::with_seed(weather.seed);
    let store = builder().patience(patience).connect(url).await;
    let owner = engine(store.expect("the server can be reached"), LEASE).start().await;
    let owner = owner.expect("the tables are there");
    let (killing, readers) = (rng.fork(), connect(url).await);
    beside_writers(url, (WRITERS, Fates::Lasting), &mut rng, async || {
        let until = Instant::now() + weather.length;
        let rebuilding = async {
            while generation(&end).await < 3 || Instant::now() < until {
                match owner.rebuild::<ItemRow>().await {
                    Ok(()) => {}
                    // A table that could not be made at once.
                    Err(
                        EngineError::Store(error) | EngineError::Write(WriteError::Store(error)),
                    ) if error.is_unavailable() && patience.is_zero() => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        };
        tokio::select! {
            () = kill_backends(url, killing) => {}
            () = read_rows(&readers) => {}
            () = rebuilding => {}
        }
    })
    .await;
    calm(url).await;
    println!("storm `{storm}`: {} generations", generation(&end).await);
    judged(storm, &end).await.unwrap_or_else(|wrong| panic!("{wrong}"));
    owner.shutdown().await.expect("nothing went wrong");
    assert_eq!(ReadModels::new(end).query::<ItemRow>().count().await.ok(), Some(ITEMS as u64));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_rebuilds() {
    storm_of_rebuilds("rebuilds", Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_rebuilds_without_patience() {
    storm_of_rebuilds("rebuilds without patience", Duration::ZERO).await;
}

/// Who stands by waits for the lease of rows that are gone once they are rebuilt; it goes on to wait for that of the new ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_rebuilds_beside_an_engine_that_stands_by() {
    let database = TestDatabase::create().await.expect("a database");
    let url = database.url();
    let end = prepared(url).await;
    let weather = weather("rebuilds beside another");
    let mut rng = Rng::with_seed(weather.seed);
    let start = async || engine(connect(url).await, LEASE).start().await.expect("tables are there");
    let owner = start().await;
    let other = beside_writers(url, (WRITERS, Fates::Lasting), &mut rng, async || {
        owner.rebuild::<ItemRow>().await.expect("it is the owner");
        let other = start().await;
        let until = Instant::now() + weather.length;
        while generation(&end).await < 4 || Instant::now() < until {
            owner.rebuild::<ItemRow>().await.expect("one of them does it");
            // Longer than the other waits before it asks for the lease again.
            tokio::time::sleep(LEASE / 6).await;
            let status = other.status().await.expect("the store is there");
            let status = status.of::<ItemRow>().expect("it is registered");
            // Who built the rows goes on with them, which the other may be quicker to do; nothing goes wrong with whoever stands by.
            let built_by = status.rebuild.as_ref().and_then(|rebuild| rebuild.by.as_ref());
            assert_eq!(status.owner.as_ref(), built_by, "{status:?}");
            assert_eq!(status.last_error, None, "{status:?}");
        }
        owner.shutdown().await.expect("nothing went wrong");
        other
    })
    .await;
    judged("rebuilds beside another", &end).await.unwrap_or_else(|wrong| panic!("{wrong}"));
    other.shutdown().await.expect("nothing went wrong");
}

/// A rebuild outlives the processes that do it: each is killed in the middle of it, and the next goes on, beside the writers. The
/// rows that answer meanwhile are those of so many shards, and so are the new ones.
async fn storm_of_killed_rebuilds(storm: &str, shards: u32) {
    let database = TestDatabase::create().await.expect("a database");
    let url = database.url();
    let end = prepared(url).await;
    let weather = weather(storm);
    let mut rng = Rng::with_seed(weather.seed);
    let operator = engine(end.clone(), LEASE).operator().expect("nothing clashes");
    let rebuild = async || {
        let all = operator.rebuilds().await.expect("the store is there");
        all.into_iter().next().expect("it was asked for")
    };
    let readers = connect(url).await;
    let mut owner = EngineProcess::divided(url, shards);
    beside_writers(url, (WRITERS, Fates::Lasting), &mut rng, async || {
        let rebuilding = async {
            let until = Instant::now() + weather.length;
            let mut rounds = 0;
            while rounds == 0 || Instant::now() < until {
                rounds += 1;
                // Slow enough to be killed in the middle of it, three times.
                let load = RebuildLoad::unlimited().batch(5).pause(Duration::from_millis(20));
                let asked = operator.begin_rebuild(ItemRow::NAME, ItemRow::VERSION, load).await;
                asked.expect("none is under way");
                let (mut killed, mut reached) = (0, 0);
                while killed < 3 {
                    let now = rebuild().await;
                    assert!(now.state.is_under_way(), "it ended before it was killed: {now:?}");
                    // It goes on where it was left: what was done since it was last told counts, too.
                    assert!(now.events >= reached, "it began anew: {now:?} after {reached} events");
                    if now.state == RebuildState::Building && now.events > reached {
                        reached = now.events;
                        owner.kill();
                        owner = EngineProcess::divided(url, shards);
                        killed += 1;
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                assert_eq!(generation(&end).await, rounds, "the old rows answer meanwhile");
                // What is left may be done as quickly as there is.
                let load = RebuildLoad::unlimited();
                let hastened =
                    operator.set_rebuild_load(ItemRow::NAME, ItemRow::VERSION, load).await;
                hastened.expect("it is under way");
                // Writers go on at full speed beside it, however busy the machine is.
                let over = Instant::now() + PATIENCE * 3;
                while rebuild().await.state.is_under_way() {
                    assert!(Instant::now() < over, "{:?}", rebuild().await);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                let done = rebuild().await;
                assert_eq!(done.state, RebuildState::Done, "{done:?}");
                assert_eq!(generation(&end).await, rounds + 1);
            }
            println!("storm `{storm}`: {rounds} rebuilds, each killed three times");
        };
        tokio::select! {
            () = read_rows(&readers) => {}
            () = rebuilding => {}
        }
    })
    .await;
    judged(storm, &end).await.unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(
        ReadModels::new(end.clone()).query::<ItemRow>().count().await.ok(),
        Some(ITEMS as u64)
    );
    let reader = projector::<ItemRow>().definition().reader(generation(&end).await);
    let standing = end.standing(&reader).await.expect("the store is there");
    assert_eq!(standing.layout.shards, shards, "{standing:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_killed_rebuilds() {
    storm_of_killed_rebuilds("killed rebuilds", 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_killed_rebuilds_in_shards() {
    storm_of_killed_rebuilds("killed rebuilds in shards", 4).await;
}
