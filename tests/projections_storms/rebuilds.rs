//! Rebuilds beside writers: the rows that answer are all there at any time, and are those of a fold in the end.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use annals::WriteError;
use annals::prelude::*;
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use fastrand::Rng;

use crate::models::{ItemId, ItemRow};
use crate::sabotage::{calm, kill_backends};
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
            owner.rebuild::<ItemRow>().await.expect("it is the owner");
            // Longer than the other waits before it asks for the lease again.
            tokio::time::sleep(LEASE / 6).await;
            let status = other.status().await.expect("the store is there");
            let status = status.of::<ItemRow>().expect("it is registered");
            assert_eq!((&status.owner, &status.last_error), (&None, &None), "{status:?}");
        }
        owner.shutdown().await.expect("nothing went wrong");
        other
    })
    .await;
    judged("rebuilds beside another", &end).await.unwrap_or_else(|wrong| panic!("{wrong}"));
    other.shutdown().await.expect("nothing went wrong");
}
