//! What happens to a server and to connections while a storm is on.

use std::time::Duration;

use annals_postgres::testing::TestDatabase;
use fastrand::Rng;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Executor};

/// The name by which connections of the tests are told from those of stores.
const OURS: &str = "storm";

/// Who is connected for the tests' own sake, beside the stores.
pub async fn connect(url: &str) -> PgConnection {
    let options: PgConnectOptions = url.parse().expect("the address of a database");
    let options = options.application_name(OURS);
    PgConnection::connect_with(&options).await.expect("the server can be reached")
}

/// Makes appends take their time, and undoes some.
pub async fn add_pauses(url: &str) {
    connect(url).await.execute(include_str!("pauses.sql")).await.expect("triggers can be made");
}

/// Has readers take the last event that is there for the end, whoever is about to append before it.
pub async fn forget_appends_under_way(url: &str) {
    let forgotten = connect(url)
        .await
        .execute(
            "CREATE OR REPLACE FUNCTION annals.ceiling(OUT readable bigint, OUT head bigint) LANGUAGE sql
             AS 'SELECT coalesce(max(position), 0), coalesce(max(position), 0) FROM annals.events'",
        )
        .await;
    forgotten.expect("the function is replaced");
}

/// A transaction of somebody else that has written and holds locks, and is open throughout.
pub struct Bystander {
    connection: PgConnection,
}

impl Bystander {
    pub async fn begin(url: &str) -> Self {
        let mut connection = connect(url).await;
        let begun = connection.execute(
            "CREATE TABLE IF NOT EXISTS bystander (number int);
             BEGIN;
             INSERT INTO bystander VALUES (1);
             SELECT pg_advisory_xact_lock(1), pg_advisory_xact_lock_shared(0, 1), pg_advisory_xact_lock(-1)",
        );
        begun.await.expect("a transaction can be begun");
        Self { connection }
    }

    /// Fails the test unless the transaction was open all the time.
    pub async fn end(mut self) {
        let written: i64 = sqlx::query_scalar("SELECT count(*) FROM bystander")
            .fetch_one(&mut self.connection)
            .await
            .expect("the transaction is still open");
        assert_eq!(written, 1);
    }
}

/// Ends any of the stores' sessions, again and again. It has no end of its own.
pub async fn kill_backends(url: &str, mut rng: Rng) {
    let mut connection = connect(url).await;
    loop {
        tokio::time::sleep(Duration::from_millis(rng.u64(5..60))).await;
        let killed = sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE datname = current_database() AND application_name <> $1
              ORDER BY random() LIMIT 1",
        );
        killed.bind(OURS).execute(&mut connection).await.expect("a session can be ended");
    }
}

/// Has the server crash and come back, again and again. It has no end of its own.
pub async fn restart(database: &TestDatabase, mut rng: Rng) {
    loop {
        tokio::time::sleep(Duration::from_millis(rng.u64(100..800))).await;
        database.restart_immediately().await.expect("the server comes back");
    }
}

/// Waits until nothing is under way on the server for the stores.
pub async fn calm(url: &str) {
    let mut connection = connect(url).await;
    for _ in 0..1_000 {
        let busy: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
              WHERE datname = current_database() AND application_name <> $1 AND state <> 'idle'",
        )
        .bind(OURS)
        .fetch_one(&mut connection)
        .await
        .expect("the server tells what is under way");
        if busy == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the server does not come to rest");
}
