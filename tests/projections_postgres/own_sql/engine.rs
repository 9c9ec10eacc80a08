//! An engine that runs SQL projections: rows, what is parked, what stops.

use annals::prelude::*;
use annals::projection::ProjectionStatus;
use annals::{EngineError, ProjectionState};
use annals_postgres::{EngineSql as _, SqlContext};
use sqlx::PgConnection;

use super::{
    Ledger, Owned, PATIENCE, POLLING, Paid, amounts, count, make_ledger, own, owned, paid, pay,
};
use super::{record, start, totals};
use crate::{Error, fresh, run, told};

#[tokio::test]
async fn rows_are_written_by_joins() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    record(&store, "a", vec![owned("Ada"), paid(1)]).await?;
    record(&store, "b", vec![owned("Bob"), paid(10)]).await?;
    let engine = start::<Ledger>(&store).await?;
    let receipt = record(&store, "c", vec![owned("Ada"), paid(100)]).await?;
    engine.sql::<Ledger>()?.wait_for(&receipt, PATIENCE).await?;
    assert_eq!(totals(&store).await?, amounts(&[("Ada", 101), ("Bob", 10)]));
    assert_eq!(count(&store, "payments").await?, 3);
    engine.shutdown().await?;

    // Started again, it goes on where it was.
    let engine = start::<Ledger>(&store).await?;
    let receipt = record(&store, "b", vec![paid(20)]).await?;
    engine.sql::<Ledger>()?.wait_for(&receipt, PATIENCE).await?;
    assert_eq!(totals(&store).await?, amounts(&[("Ada", 101), ("Bob", 30)]));
    Ok(engine.shutdown().await?)
}

/// The batch holds what fails in its middle: it is rolled back, its events are done one by one, and only the one that fails is
/// parked, with what follows in its stream.
#[tokio::test]
async fn a_failure_parks_its_stream_and_the_rest_goes_on() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    record(&store, "a", vec![owned("Ada"), paid(1)]).await?;
    let failed = record(&store, "b", vec![owned("Bob"), paid(5), paid(-10)]).await?;
    record(&store, "a", vec![paid(2)]).await?;
    let behind = record(&store, "b", vec![paid(7)]).await?;
    let engine = start::<Ledger>(&store).await?;
    let ledger = engine.sql::<Ledger>()?;
    let last = record(&store, "a", vec![paid(4)]).await?;
    ledger.wait_for(&last, PATIENCE).await?;
    assert_eq!(totals(&store).await?, amounts(&[("Ada", 7), ("Bob", 5)]));

    let parked = ledger.parked().await?;
    let waits: Vec<_> = parked.iter().map(|event| (&*event.key, event.position)).collect();
    assert_eq!(waits, [("account-b", failed.position), ("account-b", behind.position)]);
    assert!(parked[0].error.contains("\"enough\""), "{}", parked[0].error);
    assert_eq!(parked[1].error, "");
    match ledger.wait_for(&behind, PATIENCE).await {
        Err(ReadModelError::Parked { key, position, .. }) => {
            assert_eq!((&*key, position), ("account-b", failed.position));
        }
        told => panic!("{told:?}"),
    }
    // What comes later waits, too, and a try in vain changes nothing.
    let later = record(&store, "b", vec![paid(8)]).await?;
    let last = record(&store, "a", vec![paid(8)]).await?;
    ledger.wait_for(&last, PATIENCE).await?;
    assert_eq!(ledger.retry_parked("account-b").await?, 3);
    assert_eq!(totals(&store).await?, amounts(&[("Ada", 15), ("Bob", 5)]));

    run(store.pool(), "ALTER TABLE totals DROP CONSTRAINT enough").await?;
    assert_eq!(ledger.retry_parked("account-b").await?, 0);
    ledger.wait_for(&later, PATIENCE).await?;
    assert_eq!(totals(&store).await?, amounts(&[("Ada", 15), ("Bob", 10)]));
    assert_eq!(ledger.parked().await?, []);
    Ok(engine.shutdown().await?)
}

#[tokio::test]
async fn parked_events_are_given_up_by_hand() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let engine = start::<Ledger>(&store).await?;
    record(&store, "a", vec![owned("Ada"), paid(-1)]).await?;
    let last = record(&store, "b", vec![owned("Bob"), paid(1)]).await?;
    let ledger = engine.sql::<Ledger>()?;
    ledger.wait_for(&last, PATIENCE).await?;
    assert_eq!(ledger.drop_parked("account-a").await?, 1);
    let last = record(&store, "a", vec![paid(3)]).await?;
    ledger.wait_for(&last, PATIENCE).await?;
    assert_eq!(totals(&store).await?, amounts(&[("Ada", 3), ("Bob", 1)]));
    Ok(engine.shutdown().await?)
}

/// Fails in ways of its own, by the amount.
struct Odd;

#[annals_postgres::sql_projection(name = "odd")]
impl Odd {
    #[setup]
    async fn tables(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        make_ledger(connection).await?;
        let late =
            "CREATE TABLE late (account text REFERENCES accounts DEFERRABLE INITIALLY DEFERRED)";
        sqlx::raw_sql(late).execute(connection).await.map(drop)
    }

    #[on]
    async fn owned(event: &Owned, cx: &mut SqlContext<'_>) -> Result<(), String> {
        own(event, cx).await.map_err(|error| error.to_string())
    }

    #[on]
    async fn paid(event: &Paid, cx: &mut SqlContext<'_>) -> Result<(), Error> {
        match event.amount {
            1 => return Err("one is refused".into()),
            2 => panic!("two is too much"),
            // Nobody is told that it failed.
            3 => drop(sqlx::query("SELECT 1 / 0").execute(cx.connection()).await),
            // Only the commit finds out.
            4 => {
                let insert = sqlx::query("INSERT INTO late VALUES ('nobody')");
                insert.execute(cx.connection()).await?;
            }
            _ => pay(event, cx).await?,
        }
        Ok(())
    }
}

/// Ends the transaction that is the engine's, and says so or not.
struct Hasty;

#[annals_postgres::sql_projection(name = "hasty")]
impl Hasty {
    #[setup]
    async fn tables(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        make_ledger(connection).await
    }

    #[on]
    async fn paid(event: &Paid, cx: &mut SqlContext<'_>) -> Result<(), Error> {
        pay(event, cx).await?;
        match event.amount {
            1 => run_in(cx, "COMMIT").await,
            2 => run_in(cx, "ROLLBACK").await,
            3 => {
                run_in(cx, "COMMIT").await?;
                Err("and it fails, too".into())
            }
            _ => Ok(()),
        }
    }
}

async fn run_in(cx: &mut SqlContext<'_>, sql: &'static str) -> Result<(), Error> {
    Ok(sqlx::raw_sql(sql).execute(cx.connection()).await.map(drop)?)
}

#[tokio::test]
async fn a_method_that_ends_the_transaction_stops_the_projection() -> Result<(), Error> {
    for amount in 1..=3 {
        let (store, _database) = fresh().await?;
        let engine = start::<Hasty>(&store).await?;
        let hasty = engine.sql::<Hasty>()?;
        record(&store, "a", vec![paid(amount)]).await?;
        let status = async || -> Result<ProjectionStatus, Error> {
            let status = engine.status().await?.projections;
            Ok(status.into_iter().find(|status| status.name == "hasty").expect("it is registered"))
        };
        while status().await?.state != ProjectionState::Stopped {
            tokio::task::yield_now().await;
        }
        assert!(hasty.parked().await?.is_empty());
        // It looks many times whether another engine has gone on: what the method has committed is no such thing.
        tokio::time::sleep(POLLING * 20).await;
        let stopped = status().await?;
        assert_eq!(stopped.state, ProjectionState::Stopped, "{amount}: {stopped:?}");
        let why = stopped.last_error.unwrap_or_default();
        assert!(why.contains("ended the transaction"), "{why}");
        if amount == 2 {
            engine.shutdown().await.expect_err("it has stopped");
            continue;
        }
        // What it has written is there: a person has it go on.
        hasty.resume().await?;
        let next = record(&store, "b", vec![paid(10)]).await?;
        hasty.wait_for(&next, PATIENCE).await?;
        assert_eq!(count(&store, "payments").await?, 2);
        engine.shutdown().await?;
    }
    Ok(())
}

#[tokio::test]
async fn whatever_fails_is_found() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    for amount in 1..=5 {
        let id = amount.to_string();
        record(&store, &id, vec![owned("Ada"), paid(amount)]).await?;
    }
    let engine = start::<Odd>(&store).await?;
    let last = record(&store, "5", vec![paid(10)]).await?;
    let odd = engine.sql::<Odd>()?;
    odd.wait_for(&last, PATIENCE).await?;
    assert_eq!(totals(&store).await?, amounts(&[("Ada", 15)]));
    assert_eq!(count(&store, "accounts").await?, 5);
    let parked = odd.parked().await?;
    let expected = [
        ("account-1", "one is refused"),
        ("account-2", "panicked: two is too much"),
        ("account-3", "a statement failed and its error was not passed on"),
        ("account-4", "foreign key"),
    ];
    assert_eq!(parked.len(), expected.len(), "{parked:?}");
    for (event, (key, error)) in parked.iter().zip(expected) {
        assert_eq!(event.key, key);
        assert_eq!(event.error.matches(error).count(), 1, "{}", event.error);
    }
    Ok(engine.shutdown().await?)
}

struct Strict;

#[annals_postgres::sql_projection(name = "strict", on_error = stop, batch = 3)]
impl Strict {
    #[setup]
    async fn tables(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        make_ledger(connection).await
    }

    #[on]
    async fn owned(event: &Owned, cx: &mut SqlContext<'_>) -> Result<(), sqlx::Error> {
        own(event, cx).await
    }

    #[on]
    async fn paid(event: &Paid, cx: &mut SqlContext<'_>) -> Result<(), sqlx::Error> {
        pay(event, cx).await
    }
}

#[tokio::test]
async fn one_that_is_to_stop_stops_at_the_event() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let engine = start::<Strict>(&store).await?;
    record(&store, "a", vec![owned("Ada"), paid(1)]).await?;
    let failed = record(&store, "b", vec![owned("Bob"), paid(-1)]).await?;
    let last = record(&store, "a", vec![paid(2)]).await?;
    let strict = engine.sql::<Strict>()?;
    let stopped = strict.wait_for(&last, PATIENCE).await.unwrap_err();
    let ReadModelError::Stopped { reason, .. } = &stopped else { panic!("{stopped:?}") };
    assert!(reason.contains("\"enough\"") && reason.contains("account-b"), "{reason}");
    assert_eq!(totals(&store).await?, amounts(&[("Ada", 1)]));
    assert_eq!(count(&store, "accounts").await?, 2);
    let status = engine.status().await?;
    let states: Vec<_> = status.projections.iter().map(ProjectionStatus::clone).collect();
    assert_eq!(states[0].state, ProjectionState::Stopped);

    strict.skip(failed.position).await?;
    strict.wait_for(&last, PATIENCE).await?;
    assert_eq!(totals(&store).await?, amounts(&[("Ada", 3)]));
    Ok(engine.shutdown().await?)
}

struct Lax;

#[annals_postgres::sql_projection(name = "lax", on_error = skip)]
impl Lax {
    #[setup]
    async fn tables(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        make_ledger(connection).await
    }

    #[on]
    async fn owned(event: &Owned, cx: &mut SqlContext<'_>) -> Result<(), sqlx::Error> {
        own(event, cx).await
    }

    #[on]
    async fn paid(event: &Paid, cx: &mut SqlContext<'_>) -> Result<(), sqlx::Error> {
        pay(event, cx).await
    }
}

#[tokio::test]
async fn one_that_is_to_skip_leaves_the_event_out() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let last = record(&store, "a", vec![owned("Ada"), paid(1), paid(-9), paid(2)]).await?;
    let engine = start::<Lax>(&store).await?;
    let lax = engine.sql::<Lax>()?;
    lax.wait_for(&last, PATIENCE).await?;
    assert_eq!(totals(&store).await?, amounts(&[("Ada", 3)]));
    assert_eq!(lax.parked().await?, []);
    Ok(engine.shutdown().await?)
}

/// Nobody knows which of its events belong together: whatever asks for shards is told what to do instead.
#[tokio::test]
async fn more_than_one_shard_is_refused_with_what_to_do() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let engine = start::<Ledger>(&store).await?;
    let by_operator = engine.operator().set_shards("ledger", 1, 4).await;
    for refused in [engine.sql::<Ledger>()?.set_shards(4).await, by_operator] {
        let refused = told(&refused.unwrap_err());
        for part in ["projection `ledger` writes by SQL of its own", "it has one shard; make it"] {
            assert!(refused.contains(part), "{refused}");
        }
    }
    // As it is, it may be said.
    engine.sql::<Ledger>()?.set_shards(1).await?;
    assert_eq!(engine.operator().shards("ledger", 1).await?.layout.shards, 1);
    let last = record(&store, "a", vec![owned("Ada"), paid(1)]).await?;
    engine.sql::<Ledger>()?.wait_for(&last, PATIENCE).await?;
    Ok(engine.shutdown().await?)
}

#[tokio::test]
async fn a_rebuild_is_refused_with_what_to_do() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let engine = start::<Ledger>(&store).await?;
    let refused = engine.sql::<Ledger>()?.rebuild().await.unwrap_err();
    assert!(
        told(&refused)
            .contains("give it `version = 2`, and a setup that makes tables of other names"),
        "{refused}"
    );
    assert!(matches!(engine.sql::<Odd>(), Err(EngineError::NotRegistered { .. })));
    Ok(engine.shutdown().await?)
}
