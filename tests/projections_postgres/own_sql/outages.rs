//! A server that is away: no event is to blame, and each has its effect once.

use annals_postgres::testing::TestDatabase;
use annals_postgres::{EngineSql as _, PostgresStore, SqlContext};
use sqlx::PgConnection;

use super::{Ledger, Owned, PATIENCE, Paid, amounts, count, make_ledger, own, owned, paid, pay};
use super::{record, start, totals};
use crate::{Error, fresh};

/// Loses its connection in the middle of a batch, once, and tells of it in words only; then at a commit, once.
struct Unlucky;

#[annals_postgres::sql_projection(name = "unlucky")]
impl Unlucky {
    #[setup]
    async fn tables(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        make_ledger(connection).await?;
        // A sequence counts on, whatever is rolled back.
        let traps = "CREATE SEQUENCE tries;
            CREATE SEQUENCE commits;
            CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF nextval('commits') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
                RETURN NULL;
            END $$;
            CREATE CONSTRAINT TRIGGER lose AFTER INSERT ON payments
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION lose()";
        sqlx::raw_sql(traps).execute(connection).await.map(drop)
    }

    #[on]
    async fn owned(event: &Owned, cx: &mut SqlContext<'_>) -> Result<(), sqlx::Error> {
        own(event, cx).await
    }

    #[on]
    async fn paid(event: &Paid, cx: &mut SqlContext<'_>) -> Result<(), String> {
        let paid = pay(event, cx).await;
        let lost =
            "SELECT CASE WHEN nextval('tries') = 3 THEN pg_terminate_backend(pg_backend_pid()) END";
        let lost = sqlx::query(lost).execute(cx.connection()).await;
        paid.and(lost).map(drop).map_err(|error| error.to_string())
    }
}

#[tokio::test]
async fn a_lost_connection_parks_nothing_and_repeats_nothing() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let mut events = vec![owned("Ada")];
    events.extend((0..10).map(|_| paid(1)));
    let last = record(&store, "a", events).await?;
    let engine = start::<Unlucky>(&store).await?;
    let unlucky = engine.sql::<Unlucky>()?;
    unlucky.wait_for(&last, PATIENCE).await?;
    assert_eq!(totals(&store).await?, amounts(&[("Ada", 10)]));
    assert_eq!(unlucky.parked().await?, []);
    // Both happened: the third try of a payment, and the first commit.
    let tries: i64 =
        sqlx::query_scalar("SELECT last_value FROM tries").fetch_one(store.pool()).await?;
    assert_eq!(tries, 3 + 10 + 10);
    Ok(engine.shutdown().await?)
}

#[tokio::test]
async fn a_restart_of_the_server_is_survived() -> Result<(), Error> {
    let database = TestDatabase::on_own_server().await?;
    let store = PostgresStore::connect(database.url()).await?;
    store.migrate().await?;
    let engine = start::<Ledger>(&store).await?;
    let ledger = engine.sql::<Ledger>()?;
    record(&store, "a", vec![owned("Ada"), paid(1)]).await?;
    database.restart_immediately().await?;
    let mut last = None;
    for _ in 0..20 {
        last = Some(record(&store, "a", vec![paid(1)]).await?);
    }
    ledger.wait_for(&last.expect("it was paid"), PATIENCE).await?;
    assert_eq!(totals(&store).await?, amounts(&[("Ada", 21)]));
    assert_eq!(count(&store, "payments").await?, 21);
    assert_eq!(ledger.parked().await?, []);
    Ok(engine.shutdown().await?)
}

/// Two engines: one owns the projection, and the other goes on when it ends.
#[tokio::test]
async fn another_engine_takes_over() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let (one, two) = tokio::try_join!(start::<Ledger>(&store), start::<Ledger>(&store))?;
    let receipt = record(&store, "a", vec![owned("Ada"), paid(1)]).await?;
    two.sql::<Ledger>()?.wait_for(&receipt, PATIENCE).await?;
    one.shutdown().await?;
    let receipt = record(&store, "a", vec![paid(2)]).await?;
    two.sql::<Ledger>()?.wait_for(&receipt, PATIENCE).await?;
    assert_eq!(totals(&store).await?, amounts(&[("Ada", 3)]));
    two.shutdown().await?;
    Ok(())
}
