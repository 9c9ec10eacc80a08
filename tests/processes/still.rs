//! A node that stands still in the middle of a transaction: the server ends it, and another node goes on.

use std::time::Duration;

use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;

use crate::proxy::{Cuts, Proxy, Way};
use crate::scene::{Scene, act, bus, engine, settled, status, until};

const LEASE: Duration = Duration::from_millis(500);

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
