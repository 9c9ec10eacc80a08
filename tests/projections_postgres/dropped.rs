//! Calls that are dropped on their way: what they had begun is undone before anybody else uses the connection.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use annals::{CheckpointChange, CheckpointId, Position, ReadModelStore};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;

use crate::tables::ACCOUNTS;
use crate::{Error, definition, lease, turn};

/// Polls a call so many times at most, then drops it; tells whether it had come to its end.
async fn dropped_after<T>(polls: usize, call: impl Future<Output = T>) -> bool {
    let mut call = pin!(call);
    let mut left = polls;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        let polled = call.as_mut().poll(cx).map(|_| true);
        if polled.is_pending() && left == 0 {
            return Poll::Ready(false);
        }
        polled
    })
    .await
}

/// A store of one connection, so that what is left open on it is what the next call gets.
async fn narrow() -> Result<(PostgresStore, TestDatabase), Error> {
    let database = TestDatabase::create().await?;
    let store = PostgresStore::builder().max_connections(1).connect(database.url()).await?;
    store.migrate().await?;
    Ok((store, database))
}

/// Waits until the connection is back: a call then begins with its first statement.
async fn rested(store: &PostgresStore) {
    while store.pool().num_idle() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Fails if what the store says it has done is seen by itself alone.
async fn is_seen(store: &PostgresStore, database: &TestDatabase, turn: &str) -> Result<(), Error> {
    let reader = CheckpointId::of_projection(turn, 1, 1);
    let fence = store.claim_lease(&reader, "owner", Duration::from_hours(1)).await?;
    assert!(fence.is_some(), "nobody else asks");
    let others = sqlx::PgPool::connect(database.url()).await?;
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM annals.checkpoints WHERE name = $1")
        .bind(&reader.name)
        .fetch_one(&others)
        .await?;
    others.close().await;
    assert_eq!(seen, 1, "a claim that was answered, after a call that was dropped: {turn}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_tables_that_is_dropped_leaves_no_transaction() -> Result<(), Error> {
    let (store, database) = narrow().await?;
    let definition = definition(ACCOUNTS, 1);
    store.prepare(&definition).await?;
    let turn = turn(&store, &definition).await?;
    for polls in 1.. {
        rested(&store).await;
        let is_done = dropped_after(polls, store.begin_generation(&definition, &turn)).await;
        is_seen(&store, &database, &format!("change-{polls}")).await?;
        if is_done {
            break;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_dropped_leaves_no_transaction() -> Result<(), Error> {
    let (store, database) = narrow().await?;
    let definition = definition(ACCOUNTS, 1);
    store.prepare(&definition).await?;
    let fence = lease(&store, &definition, 1).await?;
    let change = CheckpointChange { fence, position: Position::from(1) };
    for polls in 1.. {
        rested(&store).await;
        let is_done = dropped_after(polls, store.begin_batch(&change)).await;
        is_seen(&store, &database, &format!("batch-{polls}")).await?;
        if is_done {
            break;
        }
    }
    assert_eq!(store.checkpoint(&change.fence.id).await?, None, "no batch was committed");
    Ok(())
}
