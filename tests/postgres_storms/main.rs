//! Storms on a real server: what writers were told and readers saw is held against what is there in the end.

mod cached;
mod fleet;
#[path = "../history/mod.rs"]
mod history;
#[expect(dead_code, reason = "the tests of single outages cut otherwise")]
mod proxy;
mod sabotage;
mod steps;

use std::sync::Arc;
use std::time::{Duration, Instant};

use annals::{EventStore, Position, StoreError};
use annals_postgres::testing::TestDatabase;
use annals_postgres::{PostgresStore, PostgresStoreBuilder};
use fastrand::Rng;

use self::fleet::Fleet;
use self::history::check::{Kind, check};
use self::history::storm::{Weather, assert_sound, storm};
use self::proxy::{Cuts, Proxy};
use self::sabotage::{
    Bystander, add_pauses, calm, forget_appends_under_way, kill_backends, restart,
};

/// A store as a storm wants it: with few connections, so that they are shared.
fn builder() -> PostgresStoreBuilder {
    PostgresStore::builder().max_connections(4)
}

async fn migrated(url: &str) -> PostgresStore {
    let store = builder().connect(url).await.expect("the server can be reached");
    store.migrate().await.expect("an empty database can be migrated");
    store
}

/// Stores of several processes; the last gives up early, so that there are outcomes that nobody knows.
async fn fleet(url: &str) -> Fleet {
    let mut stores = Vec::new();
    for builder in [
        builder(),
        builder().wake_up(false),
        builder().batch_calls(1).max_connections(1),
        builder().patience(Duration::ZERO),
    ] {
        stores.push(builder.connect(url).await.expect("the server can be reached"));
    }
    Fleet::new(stores)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_appends() {
    let database = TestDatabase::create().await.expect("a database");
    let url = database.url();
    let end = migrated(url).await;
    add_pauses(url).await;
    let bystander = Bystander::begin(url).await;
    let weather = Weather::of_the_day().with_dropped(15);
    let history = storm("appends", weather, fleet(url).await, async || {
        calm(url).await;
        end
    })
    .await;
    bystander.end().await;
    assert_sound(&history);
}

/// What the log's order is for: without it, the same storm finds events that readers pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_finds_readers_that_forget_appends_under_way() {
    let database = TestDatabase::create().await.expect("a database");
    let url = database.url();
    let end = migrated(url).await;
    add_pauses(url).await;
    forget_appends_under_way(url).await;
    // On a machine with no time to spare, one storm may find none.
    for _ in 0..20 {
        let (fleet, end) = (fleet(url).await, end.clone());
        let history = storm("forgotten appends", Weather::of_the_day(), fleet, async || {
            calm(url).await;
            end
        })
        .await;
        if check(&history).iter().any(|fault| fault.kind == Kind::Passed) {
            return;
        }
    }
    panic!("no event was passed");
}

/// Without pauses: what meets, meets in microseconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_at_full_speed() {
    let database = TestDatabase::create().await.expect("a database");
    let url = database.url();
    let end = migrated(url).await;
    let bystander = Bystander::begin(url).await;
    let weather = Weather::of_the_day().with_dropped(5);
    let history = storm("full speed", weather, fleet(url).await, async || {
        calm(url).await;
        end
    })
    .await;
    bystander.end().await;
    assert_sound(&history);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_killed_backends() {
    let database = TestDatabase::create().await.expect("a database");
    let url = database.url().to_owned();
    let end = migrated(&url).await;
    add_pauses(&url).await;
    let bystander = Bystander::begin(&url).await;
    let weather = Weather::of_the_day().with_dropped(5);
    let fleet = fleet(&url).await;
    let killer = tokio::spawn({
        let (url, rng) = (url.clone(), Rng::with_seed(weather.seed));
        async move { kill_backends(&url, rng).await }
    });
    let history = storm("killed backends", weather, fleet, async || {
        killer.abort();
        assert!(killer.await.is_err_and(|error| error.is_cancelled()));
        calm(&url).await;
        end
    })
    .await;
    bystander.end().await;
    assert_sound(&history);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_cut_connections() {
    let database = TestDatabase::on_own_server().await.expect("a database");
    let url = database.url();
    let end = migrated(url).await;
    add_pauses(url).await;
    let bystander = Bystander::begin(url).await;
    let weather = Weather::of_the_day().with_dropped(5);
    let proxy = Proxy::start(url).await.expect("a port is free");
    let fleet = fleet(&proxy.url(url)).await;
    proxy.set(Cuts::AtRandom(Rng::with_seed(weather.seed)));
    let history = storm("cut connections", weather, fleet, async || {
        proxy.set(Cuts::None);
        calm(url).await;
        end
    })
    .await;
    bystander.end().await;
    assert_sound(&history);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_restarts() {
    let database = Arc::new(TestDatabase::on_own_server().await.expect("a database"));
    let url = database.url();
    let end = migrated(url).await;
    add_pauses(url).await;
    let weather = Weather::of_the_day().with_dropped(5);
    let fleet = fleet(url).await;
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let restarts = tokio::spawn({
        let (database, rng) = (database.clone(), Rng::with_seed(weather.seed));
        async move {
            tokio::select! {
                () = restart(&database, rng) => {}
                _ = &mut stopped => {}
            }
            // A restart that was under way goes on; the next waits for it.
            database.restart_immediately().await.expect("the server comes back");
        }
    });
    let history = storm("restarts", weather, fleet, async || {
        stop.send(()).expect("the restarts go on");
        restarts.await.expect("restarts do not panic");
        calm(url).await;
        end
    })
    .await;
    assert_sound(&history);
}

/// Processes that start at once migrate one schema after the other, and their sessions are killed meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_migrations() {
    let database = TestDatabase::create().await.expect("a database");
    let url = database.url();
    let weather = Weather::of_the_day();
    let until = Instant::now() + weather.length;
    let migrations = async {
        for number in 0.. {
            if number > 0 && Instant::now() >= until {
                break;
            }
            let schema = format!("schema_{number}");
            let migrated = (0..6).map(async |_| {
                // A process whose session was killed is started again.
                loop {
                    match migrate(url, &schema).await {
                        Ok(head) => return assert_eq!(head, Position::START),
                        Err(error) => assert!(error.is_unavailable(), "{error:?}"),
                    }
                }
            });
            futures::future::join_all(migrated).await;
        }
    };
    tokio::select! {
        () = migrations => {}
        () = kill_backends(url, Rng::with_seed(weather.seed)) => {}
    }
}

/// Migrates a schema, and looks into it.
async fn migrate(url: &str, schema: &str) -> Result<Position, StoreError> {
    let store = builder().schema(schema).connect(url).await?;
    store.migrate().await?;
    store.head().await
}
