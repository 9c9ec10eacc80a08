//! The schema: made once, changed by nobody who should not.

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use sqlx::{AssertSqlSafe, Executor, PgPool};

use super::bank::{Account, Deposit, OpenAccount};
use super::{Error, fresh};

fn open() -> OpenAccount {
    OpenAccount { account: "ada".into(), owner: "Ada".into() }
}

#[tokio::test]
async fn processes_that_start_at_once_migrate_once() -> Result<(), Error> {
    let database = TestDatabase::create().await?;
    let mut starting = Vec::new();
    for _ in 0..8 {
        let store = PostgresStore::connect(database.url()).await?;
        starting.push(tokio::spawn(async move { store.migrate().await }));
    }
    for start in starting {
        start.await??;
    }
    let store = PostgresStore::connect(database.url()).await?;
    store.migrate().await?;
    let steps: i64 = sqlx::query_scalar("SELECT count(*) FROM annals.migrations")
        .fetch_one(store.pool())
        .await?;
    assert_eq!(steps, 1);
    CommandBus::new(store).dispatch(open()).await?;
    Ok(())
}

#[tokio::test]
async fn a_newer_schema_is_refused() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    sqlx::query("INSERT INTO annals.migrations (step) VALUES (99)").execute(store.pool()).await?;
    let refused = store.migrate().await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "migrate: schema `annals` is at step 99, and this release knows 1: a newer release has migrated it; run that one"
    );
    Ok(())
}

#[tokio::test]
async fn a_schema_that_is_not_there_is_told_so() -> Result<(), Error> {
    let database = TestDatabase::create().await?;
    let store = PostgresStore::connect(database.url()).await?;
    let missing = CommandBus::new(store.clone()).dispatch(open()).await.unwrap_err();
    assert_eq!(
        missing.to_string(),
        "read a stream: the schema of the store is not there: call `migrate()` first, or name another `schema`"
    );
    let missing = store.head().await.unwrap_err();
    assert!(missing.to_string().contains("call `migrate()`"), "{missing}");
    Ok(())
}

#[tokio::test]
async fn the_sql_that_is_printed_makes_the_same_schema() -> Result<(), Error> {
    let database = TestDatabase::create().await?;
    let store = PostgresStore::builder().schema("ledger").connect(database.url()).await?;
    for _ in 0..3 {
        // Run again, it does nothing.
        run(store.pool(), &store.migration_sql()).await?;
    }
    store.migrate().await?;
    let steps: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger.migrations")
        .fetch_one(store.pool())
        .await?;
    assert_eq!(steps, 1);
    CommandBus::new(store.clone()).dispatch(open()).await?;
    let other = PostgresStore::builder().schema("other").connect(database.url()).await?;
    other.migrate().await?;
    let none = Repository::<Account>::new(other).load("ada").await?;
    assert!(none.is_none(), "two stores in one database are two");
    Ok(())
}

#[tokio::test]
async fn the_sql_that_is_printed_refuses_a_newer_schema() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    run(store.pool(), "INSERT INTO annals.migrations (step) VALUES (99)").await?;
    let refused = run(store.pool(), &store.migration_sql()).await.unwrap_err();
    let refused = refused.as_database_error().map(|error| error.message().to_owned());
    assert_eq!(refused.as_deref(), Some("a newer release has migrated schema annals"));
    Ok(())
}

/// What the server says of itself is put in front of its own.
async fn connect_to_a_server_that_says(function: &str) -> Result<String, Error> {
    let database = TestDatabase::create().await?;
    let pool = PgPool::connect(database.url()).await?;
    run(&pool, &format!("CREATE SCHEMA other; CREATE FUNCTION other.{function}")).await?;
    let mark = if database.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{mark}options=-c%20search_path%3Dother,pg_catalog", database.url());
    Ok(PostgresStore::connect(&url).await.unwrap_err().to_string())
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused() -> Result<(), Error> {
    let says = "current_setting(text) RETURNS text LANGUAGE sql AS $$SELECT '130012'$$";
    assert_eq!(
        connect_to_a_server_that_says(says).await?,
        "connect: the server is PostgreSQL 13; the store needs 14 or newer"
    );
    Ok(())
}

/// What is done with each connection is done with those beside the pool, too.
#[tokio::test]
async fn connections_beside_a_pool_are_made_ready_as_well() -> Result<(), Error> {
    let (owner, database) = fresh().await?;
    let role = format!("annals_after_{}", uuid::Uuid::now_v7().simple());
    let table = "CREATE TABLE who (name text)";
    run(owner.pool(), &format!("CREATE ROLE {role}; {table}; GRANT INSERT ON who TO {role}"))
        .await?;
    run(owner.pool(), &owner.grants(&role)).await?;
    run(
        owner.pool(),
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN INSERT INTO public.who VALUES (current_user); RETURN NULL; END $$;
         CREATE TRIGGER note AFTER INSERT ON annals.events EXECUTE FUNCTION note()",
    )
    .await?;
    let set_role = format!("SET ROLE {role}");
    let pool = PgPool::connect(database.url()).await?;
    let store = PostgresStore::builder()
        .after_connect(move |connection| {
            let set_role = AssertSqlSafe(set_role.clone());
            Box::pin(async move { connection.execute(set_role).await.map(drop) })
        })
        .from_pool(pool)
        .await?;
    let id = StreamId::new("made", "ready");
    let event = NewEvent::new(uuid::Uuid::now_v7(), "Made", 1, Payload::new("1"));
    store.append(vec![Append::new(id, Expected::Any, vec![event])]).await?;
    let who: Vec<String> =
        sqlx::query_scalar("SELECT name FROM who").fetch_all(owner.pool()).await?;
    drop(store);
    run(owner.pool(), &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await?;
    assert_eq!(who, [role]);
    Ok(())
}

/// A program runs as a role that cannot change history, nor make tables.
#[tokio::test]
async fn a_role_with_the_printed_grants_appends_and_reads() -> Result<(), Error> {
    let (store, database) = fresh().await?;
    let role = format!("annals_app_{}", uuid::Uuid::now_v7().simple());
    let pool = store.pool();
    run(pool, &format!("CREATE ROLE {role}")).await?;
    run(pool, &store.grants(&role)).await?;
    let done = as_role(&database, &role).await;
    run(pool, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await?;
    done
}

async fn as_role(database: &TestDatabase, role: &str) -> Result<(), Error> {
    let options: sqlx::postgres::PgConnectOptions = database.url().parse()?;
    let pool = PgPool::connect_lazy_with(options.options([("role", role)]));
    let store = PostgresStore::from_pool(pool).await?;
    let who: String =
        sqlx::query_scalar("SELECT current_user::text").fetch_one(store.pool()).await?;
    assert_eq!(who, role);
    let bus = CommandBus::new(store.clone());
    bus.dispatch(open()).await?;
    let deposit = Deposit { account: "ada".into(), amount: 5 };
    bus.dispatch(deposit.clone()).idempotency_key("k").await?;
    bus.dispatch(deposit).idempotency_key("k").await?;
    let accounts = Repository::<Account>::new(store.clone());
    accounts.snapshot("ada").await?;
    assert_eq!(accounts.load("ada").await?.unwrap().state.balance, 5);
    store.wait_for_events(Position::START).await?;
    store.purge_keys().await?;
    for refused in [
        "UPDATE annals.events SET data = '{}'",
        "DELETE FROM annals.events",
        "TRUNCATE annals.events",
        "ALTER TABLE annals.events DISABLE TRIGGER ALL",
        "DROP TABLE annals.events",
        "CREATE TABLE annals.mine (a int)",
        "SELECT setval('annals.positions', 1)",
    ] {
        let answer = run(store.pool(), refused).await;
        let error = answer.expect_err(refused);
        let code = error.as_database_error().and_then(|error| error.code().map(Into::into));
        assert_eq!(code, Some(String::from("42501")), "{refused}: {error}");
    }
    Ok(())
}

async fn run(pool: &PgPool, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(pool).await.map(drop)
}

#[tokio::test]
async fn a_missing_grant_is_told_with_what_to_do() -> Result<(), Error> {
    let (store, database) = fresh().await?;
    let role = format!("annals_none_{}", uuid::Uuid::now_v7().simple());
    run(store.pool(), &format!("CREATE ROLE {role}; GRANT USAGE ON SCHEMA annals TO {role}"))
        .await?;
    let options: sqlx::postgres::PgConnectOptions = database.url().parse()?;
    let poor = PgPool::connect_lazy_with(options.options([("role", &role)]));
    let poor = PostgresStore::from_pool(poor).await?;
    let refused = CommandBus::new(poor).dispatch(open()).await.unwrap_err();
    run(store.pool(), &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await?;
    assert_eq!(
        refused.to_string(),
        "read a stream: the role may not do this: grant it what `PostgresStore::grants` prints"
    );
    Ok(())
}

#[tokio::test]
async fn no_secret_is_told() -> Result<(), Error> {
    let url = "postgres://ada:hunter2@127.0.0.1:1/none";
    let builder = PostgresStore::builder().acquire_timeout(std::time::Duration::from_millis(300));
    assert!(!format!("{builder:?}").contains("hunter2"));
    let error = builder.connect(url).await.unwrap_err();
    let mut told = format!("{error} {error:?}");
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        told.push_str(&format!("{error} {error:?}"));
        cause = error.source();
    }
    assert!(!told.contains("hunter2"), "{told}");
    let (store, _database) = fresh().await?;
    assert_eq!(format!("{store:?}"), "PostgresStore { schema: \"annals\", .. }");
    Ok(())
}
