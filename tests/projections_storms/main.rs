//! Storms of projections on a real server: whatever is killed, stopped, cut off or restarted meanwhile, the rows are those of a
//! fold of the log in the end.
//!
//! Each storm is seeded by `ANNALS_STORM_SEED` and as long as `ANNALS_STORM_SECONDS` says. Beside it stands one on a store with a
//! [flaw](flaws), which has to be found.

mod audit;
mod cuts;
mod flaws;
#[path = "../projections/fold.rs"]
mod fold;
mod live;
#[path = "../projections/models.rs"]
mod models;
mod owners;
mod process;
#[expect(dead_code, reason = "the storms of the store cut otherwise")]
#[path = "../postgres_storms/proxy.rs"]
mod proxy;
mod rebuilds;
#[expect(dead_code, reason = "the storms of the store need more")]
#[path = "../postgres_storms/sabotage.rs"]
mod sabotage;
mod shards;
#[expect(dead_code, reason = "the scenarios need more")]
#[path = "../projections/stores.rs"]
mod stores;
#[expect(dead_code, reason = "nobody drops calls here")]
#[path = "../history/storm/weather.rs"]
mod weather;
mod writers;

use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::projection::{ProjectionEngineBuilder, projector};
use annals::{EventStore, ReadModelStore, ShardedStore};
use annals_postgres::{PostgresStore, PostgresStoreBuilder};

use self::fold::{Found, folded, keys_of};
use self::models::ItemRow;
use self::stores::PATIENCE;
use self::weather::Weather;

/// How often a storm on a store with a flaw is tried, until it is found: even one that is found in one of seven times is not
/// missed by chance.
const TRIES: usize = 100;

/// A store as a storm wants it: with few connections, so that they are shared.
fn builder() -> PostgresStoreBuilder {
    PostgresStore::builder().max_connections(4)
}

async fn connect(url: &str) -> PostgresStore {
    builder().connect(url).await.expect("the server can be reached")
}

/// Makes all tables, those of the items too, and gives back a store that is left in peace: it has the name of the tests' own
/// connections.
async fn prepared(url: &str) -> PostgresStore {
    let store = connect(&audit::named(url, "storm")).await;
    store.migrate().await.expect("an empty database can be migrated");
    let items = projector::<ItemRow>();
    store.prepare(items.definition()).await.expect("the table of the items is made");
    store
}

fn engine<S: EventStore + ReadModelStore>(store: S, lease: Duration) -> ProjectionEngineBuilder {
    ProjectionEngine::builder(store)
        .register::<ItemRow>()
        .retry(RetryPolicy::never())
        .polling(Duration::from_millis(100))
        .batch(50)
        .lease(lease)
}

fn weather(storm: &str) -> Weather {
    let weather = Weather::of_the_day();
    println!("storm `{storm}`: ANNALS_STORM_SEED={}, {:?}", weather.seed, weather.length);
    weather
}

/// Waits until the rows that answer have passed all that is there.
async fn settled(store: &PostgresStore) -> Result<(), String> {
    let last = store.head().await.expect("the log is read");
    let until = Instant::now() + PATIENCE;
    loop {
        let reader = projector::<ItemRow>().definition().reader(generation(store).await);
        let reached = store.standing(&reader).await.expect("the store is there").lowest();
        if reached >= last {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(format!("{reader:?} is at {reached}, and the log ends at {last}"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The generation of the items that answers.
async fn generation(store: &PostgresStore) -> u32 {
    let catalog = store.catalog().await.expect("the store is there");
    catalog.iter().find(|entry| entry.projection == ItemRow::NAME).expect("it is there").generation
}

/// The rows and parked events that are there.
async fn found(store: &PostgresStore) -> Found {
    let reader = projector::<ItemRow>().definition().reader(generation(store).await);
    let parked = store.parked(&reader, None).await.expect("the store is there");
    let rows = ReadModels::new(store.clone()).query::<ItemRow>().fetch().await;
    (rows.expect("rows are read"), keys_of(parked))
}

/// Waits for the projection, and says what is wrong with it.
async fn judged(storm: &str, store: &PostgresStore) -> Result<(), String> {
    settled(store).await?;
    let (found, expected) = (found(store).await, folded(store).await);
    println!("storm `{storm}`: {} rows, {} parked events", expected.0.len(), expected.1.len());
    assert!(expected.0.len() > 20, "a storm in which nothing happens proves nothing");
    let wrong: Vec<_> = found.0.iter().filter(|row| !expected.0.contains(row)).take(3).collect();
    if found == expected {
        Ok(())
    } else if wrong.is_empty() {
        let (rows, parked) = found;
        Err(format!(
            "{} rows and {} parked events, others than in a fold",
            rows.len(),
            parked.len()
        ))
    } else {
        let items: Vec<_> = wrong.iter().map(|row| &row.item).collect();
        let right: Vec<_> = expected.0.iter().filter(|row| items.contains(&&row.item)).collect();
        Err(format!("{wrong:#?}, but a fold gives {right:#?}"))
    }
}
