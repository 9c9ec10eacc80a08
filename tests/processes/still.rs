//! A node that stands still in the middle of a transaction, and one that the server lets in no more for a while: all goes on.

use std::time::Duration;

use annals::health::HealthCheck;
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};

use crate::proxy::{Cuts, Proxy, Way};
use crate::scene::{Scene, act, bus, engine, settled, status, until};

const LEASE: Duration = Duration::from_millis(500);

/// An engine that runs goes on, though the server let its role in no more for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_let_in_again_goes_on() {
    let database = TestDatabase::on_own_server().await.expect("a database");
    let server = PgPool::connect(database.url()).await.expect("the server is there");
    let run = async |sql: &str| {
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql).execute(&server).await.expect("it is done");
    };
    run("CREATE ROLE app LOGIN SUPERUSER").await;
    let options: PgConnectOptions = database.url().parse().expect("it is an address");
    let pool = PgPoolOptions::new().connect_lazy_with(options.username("app"));
    let store = PostgresStore::from_pool(pool).await.expect("the server is there");
    store.migrate().await.expect("the tables are made");
    let scene = Scene::new(store);
    let engine = scene.started().await;
    let health = HealthCheck::new().processes(&engine);
    assert!(health.ask().await.ready);
    run("ALTER ROLE app NOLOGIN").await;
    run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'").await;
    until(async || !health.ask().await.ready).await;
    // As often as it looks in that time, it is refused.
    tokio::time::sleep(Duration::from_secs(1)).await;
    run("ALTER ROLE app LOGIN").await;
    until(async || health.ask().await.ready).await;
    scene.begin("a", "1", act().works("one")).await;
    scene.has_worked("one").await;
    engine.shutdown().await.expect("it gives its lease up");
}

/// The step of a process is all but committed: its lease, its stream and the end of the log are locked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stands_still_in_a_transaction_holds_nobody_up() {
    let database = TestDatabase::on_own_server().await.expect("a database");
    let store = PostgresStore::connect(database.url()).await.expect("the server is there");
    store.migrate().await.expect("the tables are made");
    let scene = Scene::new(store);
    let proxy = Proxy::start(database.url()).await.expect("a port is free");
    let builder = PostgresStore::builder().idle_in_transaction_timeout(Duration::from_secs(1));
    let still = builder.connect(&proxy.url(database.url())).await.expect("the proxy is there");
    let bus = bus(&still, &scene.passes).build().expect("nothing clashes");
    let asleep = engine(&bus).clock(scene.clock.clone()).lease(LEASE).start();
    let asleep = asleep.await.expect("the store is there");
    until(async || status(&asleep).await.runs_here).await;

    proxy.set(Cuts::StillAt(Way::ToServer, "COMMIT"));
    scene.begin("a", "1", act().works("one")).await;
    proxy.stands_still().await;
    let other = scene.engine().lease(LEASE).start().await.expect("the store is there");
    scene.has_worked("one").await;
    scene.tell("a", "2", act().works("two")).await;
    settled(&other).await;

    proxy.set(Cuts::None);
    scene.tell("a", "3", act().works("three")).await;
    settled(&other).await;
    other.shutdown().await.expect("it gives its lease up");
    scene.tell("a", "4", act().works("four")).await;
    settled(&asleep).await;
    assert_eq!(scene.worked().await, ["one", "two", "three", "four"]);
    assert_eq!(scene.saw("a").await, ["began 1", "told 2", "told 3", "told 4"]);
    asleep.shutdown().await.expect("it gives its lease up");
}
