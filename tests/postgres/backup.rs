//! A dump that is restored into another cluster: readers go on there where they stood.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload, ReadModelStore};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;

use super::bank::{Account, Deposit, OpenAccount};
use super::{Error, fresh};

/// The programs of the server that is used.
async fn programs(store: &PostgresStore) -> Result<PathBuf, Error> {
    let folder: String = sqlx::query_scalar("SELECT setting FROM pg_config WHERE name = 'BINDIR'")
        .fetch_one(store.pool())
        .await?;
    Ok(folder.into())
}

async fn copy(from: &TestDatabase, to: &TestDatabase, store: &PostgresStore) -> Result<(), Error> {
    let programs = programs(store).await?;
    let (from, to) = (from.url().to_owned(), to.url().to_owned());
    tokio::task::spawn_blocking(move || {
        let mut dump = Command::new(programs.join("pg_dump"))
            .args(["--schema", "annals", "--dbname", &from])
            .stdout(Stdio::piped())
            .spawn()?;
        let restored = Command::new(programs.join("psql"))
            .args(["--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname", &to])
            .stdin(dump.stdout.take().expect("piped"))
            .stdout(Stdio::null())
            .status()?;
        assert!(dump.wait()?.success() && restored.success());
        Ok(())
    })
    .await?
}

fn append(number: u32) -> Append {
    let data = Payload::new(number.to_string());
    let event = NewEvent::new(uuid::Uuid::now_v7(), "Counted", 1, data);
    Append::new(StreamId::new("count", number % 3), Expected::Any, vec![event])
}

async fn read(subscription: &mut Subscription, numbers: std::ops::Range<u32>) -> Result<(), Error> {
    for number in numbers {
        let event = subscription.next().await.expect("it goes on")?;
        assert_eq!(event.data.as_str(), number.to_string());
    }
    Ok(())
}

#[tokio::test]
async fn readers_go_on_in_another_cluster() -> Result<(), Error> {
    let (store, old) = fresh().await?;
    // A position that was drawn and never used.
    let mut undone = store.pool().begin().await?;
    store.append_in(&mut undone, vec![append(99)]).await?;
    undone.rollback().await?;
    for number in 0..20 {
        store.append(vec![append(number)]).await?;
    }
    let mut subscription = store.subscribe().categories(["count"]).durable("mailer").await?;
    read(&mut subscription, 0..10).await?;
    subscription.ack_delivered().await?;
    // Delivered, and not acknowledged.
    read(&mut subscription, 10..15).await?;
    let stands = subscription.position();
    let bus = CommandBus::new(store.clone());
    bus.dispatch(OpenAccount { account: "ada".into(), owner: "Ada".into() }).await?;
    let deposit = Deposit { account: "ada".into(), amount: 5 };
    let first = bus.dispatch(deposit.clone()).idempotency_key("k").await?;
    Repository::<Account>::new(store.clone()).snapshot("ada").await?;
    subscription.close().await?;

    let new = TestDatabase::on_own_server().await?;
    copy(&old, &new, &store).await?;
    let restored = PostgresStore::connect(new.url()).await?;
    restored.migrate().await?;
    assert_eq!(restored.head().await?, store.head().await?);
    let mut subscription = restored.subscribe().categories(["count"]).durable("mailer").await?;
    read(&mut subscription, 10..20).await?;
    assert!(subscription.position() > stands);
    let bus = CommandBus::new(restored.clone());
    let again = bus.dispatch(deposit.clone()).idempotency_key("k").await?;
    assert_eq!(again.stream_version, first.stream_version, "the key is known");
    bus.dispatch(deposit).await?;
    let ada = Repository::<Account>::new(restored.clone()).load("ada").await?;
    assert_eq!(ada.expect("she is there").state.balance, 10);
    let end = restored.head().await?;
    assert_eq!(end.get(), store.head().await?.get() + 1, "positions go on");
    restored.append(vec![append(20)]).await?;
    read(&mut subscription, 20..21).await?;
    subscription.ack_delivered().await?;
    let id = annals::CheckpointId { name: "mailer".to_owned(), version: 1, shard: 0 };
    assert_eq!(restored.checkpoint(&id).await?, Some(restored.head().await?));
    // History is as safe there as here.
    let refused = sqlx::query("DELETE FROM annals.events").execute(restored.pool()).await;
    assert!(refused.is_err());
    Ok(())
}

/// A dump that is older than what a reader has read is told to it.
#[tokio::test]
async fn a_reader_ahead_of_an_older_dump_is_told() -> Result<(), Error> {
    let (store, old) = fresh().await?;
    store.append(vec![append(0)]).await?;
    let new = TestDatabase::on_own_server().await?;
    copy(&old, &new, &store).await?;
    store.append(vec![append(1)]).await?;
    let stands = store.head().await?;
    let restored = PostgresStore::connect(new.url()).await?;
    let mut subscription = restored.subscribe().after(stands).await?;
    let told = subscription.next().await.expect("it ends with a reason").unwrap_err();
    assert!(
        told.to_string().contains("a reader stands at position 2, but the log ends at 1"),
        "{told}"
    );
    Ok(())
}
