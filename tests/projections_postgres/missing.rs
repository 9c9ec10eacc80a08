//! Tables that somebody dropped.

use std::time::Duration;

use annals::prelude::*;
use annals::projection::ProjectionState;
use annals::{OperatedStore, ReadModelStore};
use annals_postgres::PostgresStore;

use crate::counting::{Total, open};
use crate::tables::ACCOUNTS;
use crate::{Error, definition, fresh, run};

const PATIENCE: Duration = Duration::from_mins(1);

async fn start(store: &PostgresStore) -> Result<ProjectionEngine, EngineError> {
    ProjectionEngine::builder(store.clone()).register::<Total>().start().await
}

async fn accounts(engine: &ProjectionEngine) -> Result<i64, Error> {
    Ok(engine.read_models().get::<Total>("ada").await?.expect("a row").accounts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_was_dropped_is_made_and_filled_at_the_next_start() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let engine = start(&store).await?;
    let receipt = open(&store, 10).await?;
    engine.wait_for::<Total>(&receipt, PATIENCE).await?;
    engine.shutdown().await?;
    run(store.pool(), "DROP TABLE annals.totals_v1_1 CASCADE").await?;
    let engine = start(&store).await?;
    engine.wait_for::<Total>(&receipt, PATIENCE).await?;
    assert_eq!(accounts(&engine).await?, 10);
    let sum: i64 =
        sqlx::query_scalar("SELECT accounts FROM totals").fetch_one(store.pool()).await?;
    assert_eq!(sum, 10);
    Ok(())
}

/// It is the operator's to make again; a migration of the store does not.
#[tokio::test]
async fn a_table_that_is_gone_is_told_with_what_to_do() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let definition = definition(ACCOUNTS, 1);
    store.prepare(&definition).await?;
    run(store.pool(), "DROP TABLE annals.accounts_v1_1 CASCADE").await?;
    let gone = store.rows_at_once(&definition).await.err().expect("there are none");
    assert!(gone.is_invalid(), "{gone:?}");
    let message = "read all rows of `accounts`: the table of its rows is not there: `projections plan --apply` makes it again, \
                   and the rows with it";
    assert_eq!(gone.to_string(), message);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_is_the_cure_for_a_dropped_table() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let engine = start(&store).await?;
    let receipt = open(&store, 10).await?;
    engine.wait_for::<Total>(&receipt, PATIENCE).await?;
    run(store.pool(), "DROP TABLE annals.totals_v1_1 CASCADE").await?;
    let receipt = open(&store, 10).await?;
    let told = engine.wait_for::<Total>(&receipt, PATIENCE).await;
    assert!(matches!(told, Err(ReadModelError::Stopped { .. })), "{told:?}");
    assert_eq!(engine.status().await?.projections[0].state, ProjectionState::Stopped);
    engine.rebuild::<Total>().await?;
    engine.wait_for::<Total>(&receipt, PATIENCE).await?;
    assert_eq!(accounts(&engine).await?, 20);
    engine.shutdown().await?;
    Ok(())
}
