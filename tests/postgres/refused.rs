//! A server that refuses whom it let in before, for a while, and one that was never there.

use std::time::Duration;

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::timeout;

use super::Error;

const SOON: Duration = Duration::from_secs(60);

/// Refuses all who connect, and ends those who are there.
async fn refuse(server: &PgPool, refusal: &str) -> Result<(), Error> {
    sqlx::raw_sql(AssertSqlSafe(refusal.to_owned())).execute(server).await?;
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'";
    sqlx::raw_sql(kill).execute(server).await?;
    Ok(())
}

#[tokio::test]
async fn who_was_let_in_before_may_be_again() -> Result<(), Error> {
    let database = TestDatabase::on_own_server().await?;
    let options: PgConnectOptions = database.url().parse()?;
    let name = options.get_database().expect("a database is named").to_owned();
    let server = PgPool::connect_with(options.clone().database("postgres")).await?;
    sqlx::raw_sql("CREATE ROLE app LOGIN SUPERUSER").execute(&server).await?;
    let as_app = options.username("app");
    let pool = || PgPoolOptions::new().test_before_acquire(false).connect_lazy_with(as_app.clone());
    let builder = || PostgresStore::builder().wake_up(false).patience(Duration::ZERO);
    let store = builder().from_pool(pool()).await?;
    store.migrate().await?;
    for (refusal, end, told) in [
        (
            "ALTER ROLE app NOLOGIN".to_owned(),
            "ALTER ROLE app LOGIN".to_owned(),
            "the server refuses the user or its password",
        ),
        (
            format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false"),
            format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS true"),
            "the server lets nobody into the database, or not this role",
        ),
        (
            format!("ALTER DATABASE \"{name}\" RENAME TO elsewhere"),
            format!("ALTER DATABASE elsewhere RENAME TO \"{name}\""),
            "there is no such database",
        ),
    ] {
        if refusal.contains("RENAME") {
            // Nobody may be in it.
            let nobody = format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false");
            refuse(&server, &nobody).await?;
            let gone = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1";
            timeout(SOON, async {
                while sqlx::query_scalar::<_, i64>(gone).bind(&name).fetch_one(&server).await? > 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Ok::<_, Error>(())
            })
            .await??;
            let again = "ALTER DATABASE elsewhere ALLOW_CONNECTIONS true";
            refuse(&server, &refusal).await?;
            sqlx::raw_sql(again).execute(&server).await?;
        } else {
            refuse(&server, &refusal).await?;
        }
        // A dead connection may be found first, and the pool's others after it.
        let away = store.head().await.unwrap_err();
        assert!(away.is_unavailable(), "{away:?}");
        assert_eq!(away.to_string(), format!("read the log's end: {told}"));
        let event = NewEvent::new(uuid::Uuid::now_v7(), "Happened", 1, Payload::new("{}"));
        let append = Append::new(StreamId::new("refused", "a"), Expected::Any, vec![event]);
        store.append(vec![append]).await.unwrap_err();
        let migrating = store.migrate().await.unwrap_err();
        assert_eq!(migrating.to_string(), format!("migrate: {told}"));
        // Whoever begins is told at once, and not to try again.
        let never_in = builder().from_pool(pool()).await.unwrap_err();
        assert!(never_in.is_invalid(), "{never_in:?}");
        assert_eq!(never_in.to_string(), format!("connect: {told}"));
        sqlx::raw_sql(AssertSqlSafe(end)).execute(&server).await?;
        store.head().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_as_such() -> Result<(), Error> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = format!("postgres://postgres@{}/nowhere", listener.local_addr()?);
    drop(listener);
    let builder = PostgresStore::builder().acquire_timeout(Duration::from_secs(1));
    let error = timeout(SOON, builder.connect(&address)).await?.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    let message = "connect: no connection could be had in time: the server cannot be reached";
    assert_eq!(error.to_string(), message);
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(cause.contains("refused"), "{cause}");
    Ok(())
}

#[tokio::test]
async fn a_pool_that_is_in_use_is_told_as_such() -> Result<(), Error> {
    let (_, database) = super::fresh().await?;
    let builder = PostgresStore::builder().max_connections(1).wake_up(false);
    let store = builder.acquire_timeout(Duration::from_secs(1)).connect(database.url()).await?;
    let _in_use = store.pool().acquire().await?;
    let error = timeout(SOON, store.head()).await?.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    let message = "read the log's end: no connection was free in time: the pool's `max_connections` or `acquire_timeout` is too low";
    assert_eq!(error.to_string(), message);
    Ok(())
}
