//! Appends in a transaction of the program's own: what is refused leaves the rest as it is, and nothing holds before the
//! commit.

use std::time::Duration;

use annals::prelude::*;
use annals::{
    Append, ContentHash, Expected, KeyClaim, KeyOwner, NewEvent, Payload, ReadStream, WriteError,
};
use annals_postgres::PostgresStore;
use sqlx::postgres::{PgConnection, PgListener};
use sqlx::{Connection, Executor};
use tokio::time::timeout;

use super::{Error, fresh};

fn append(stream: &str, expected: Expected) -> Append {
    let event = NewEvent::new(uuid::Uuid::now_v7(), "Happened", 1, Payload::new("{}"));
    Append::new(StreamId::new("within", stream), expected, vec![event])
}

fn claim(key: &str) -> KeyClaim {
    let content = ContentHash::of(&serde_json::json!({ "of": key }));
    KeyClaim::new(key.to_owned(), "Happen", content, KeyOwner::Process)
}

async fn length(store: &PostgresStore, stream: &str) -> Result<usize, Error> {
    let read = ReadStream::new(StreamId::new("within", stream));
    Ok(store.stream_page(&read).await?.events.len())
}

async fn note(transaction: &mut PgConnection, line: &str) -> Result<(), Error> {
    sqlx::query("INSERT INTO notes VALUES ($1)").bind(line).execute(transaction).await?;
    Ok(())
}

async fn notes(store: &PostgresStore) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar("SELECT line FROM notes ORDER BY line").fetch_all(store.pool()).await?)
}

#[tokio::test]
async fn what_is_refused_leaves_the_rest_of_the_transaction() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    store.pool().execute("CREATE TABLE notes (line text)").await?;
    store.append(vec![append("a", Expected::Any).with_key(claim("used"))]).await?;
    let mut transaction = store.pool().begin().await?;
    note(&mut transaction, "before").await?;

    let both = vec![append("b", Expected::NoStream), append("a", Expected::NoStream)];
    let refused = store.append_in(&mut transaction, both).await.unwrap_err();
    assert!(
        matches!(&refused, WriteError::Conflict(conflict) if conflict.actual == 1),
        "{refused}"
    );
    let keyed = append("c", Expected::Any);
    let again = append("a", Expected::Any).with_key(claim("used"));
    let refused = store.append_in(&mut transaction, vec![keyed, again]).await.unwrap_err();
    assert!(matches!(&refused, WriteError::KeyUsed { key, .. } if key == "used"), "{refused}");
    let mut broken = append("d", Expected::Any);
    broken.events[0].data = Payload::new("{");
    let refused = store.append_in(&mut transaction, vec![broken]).await.unwrap_err();
    assert!(matches!(&refused, WriteError::Store(error) if error.is_invalid()), "{refused}");

    note(&mut transaction, "between").await?;
    let fine = append("a", Expected::Exact(1)).with_key(claim("new"));
    let receipts = store.append_in(&mut transaction, vec![fine]).await?;
    assert_eq!(receipts[0].stream_version, 2);
    note(&mut transaction, "after").await?;
    transaction.commit().await?;
    assert_eq!(notes(&store).await?, ["after", "before", "between"]);
    for (stream, events) in [("a", 2), ("b", 0), ("c", 0), ("d", 0)] {
        assert_eq!(length(&store, stream).await?, events, "stream {stream}");
    }
    let kept = store.find_key(&StreamId::new("within", "a"), "new").await?;
    assert_eq!(kept.map(|entry| entry.receipt), Some(receipts[0].clone()));
    Ok(())
}

#[tokio::test]
async fn what_is_rolled_back_was_never_there() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    store.pool().execute("CREATE TABLE notes (line text)").await?;
    let mut transaction = store.pool().begin().await?;
    store.append_in(&mut transaction, vec![append("kept", Expected::NoStream)]).await?;
    // A savepoint of the program's own takes its append along.
    let mut savepoint = transaction.begin().await?;
    note(&mut savepoint, "undone").await?;
    let lost = append("lost", Expected::NoStream).with_key(claim("lost"));
    store.append_in(&mut savepoint, vec![lost.clone()]).await?;
    savepoint.rollback().await?;
    note(&mut transaction, "done").await?;
    transaction.commit().await?;
    assert_eq!(notes(&store).await?, ["done"]);
    assert_eq!((length(&store, "kept").await?, length(&store, "lost").await?), (1, 0));

    let mut transaction = store.pool().begin().await?;
    store.append_in(&mut transaction, vec![lost.clone()]).await?;
    transaction.rollback().await?;
    assert_eq!(length(&store, "lost").await?, 0);
    // Neither its ids nor its key were used.
    store.append(vec![lost]).await?;
    assert_eq!(length(&store, "lost").await?, 1);
    Ok(())
}

/// What is told is told at the commit, and nothing is where the wake-up is off.
#[tokio::test]
async fn only_a_store_that_wakes_up_tells() -> Result<(), Error> {
    let (_, database) = fresh().await?;
    for (wakes, expected) in [(true, &["", "end"][..]), (false, &["end"])] {
        let store = PostgresStore::builder().wake_up(wakes).connect(database.url()).await?;
        let mut listener = PgListener::connect(database.url()).await?;
        listener.listen("annals_events").await?;
        let mut transaction = store.pool().begin().await?;
        store.append_in(&mut transaction, vec![append("a", Expected::Any)]).await?;
        transaction.commit().await?;
        store.pool().execute("SELECT pg_notify('annals_events', 'end')").await?;
        let mut told = Vec::new();
        while told.last().is_none_or(|last| last != "end") {
            let next = timeout(Duration::from_secs(20), listener.recv()).await??;
            told.push(next.payload().to_owned());
        }
        assert_eq!(told, expected);
    }
    Ok(())
}

async fn locks_of(transaction: &mut PgConnection) -> Result<i64, Error> {
    let held =
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
    Ok(sqlx::query_scalar(held).fetch_one(transaction).await?)
}

/// The server keeps all locks of all sessions in one table, which has its bounds.
#[tokio::test]
async fn many_appends_in_a_transaction_take_one_lock() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    for _ in 0..2 {
        let mut transaction = store.pool().begin().await?;
        for _ in 0..100 {
            store.append_in(&mut transaction, vec![append("many", Expected::Any)]).await?;
            store.append(vec![append("other", Expected::Any)]).await?;
        }
        assert_eq!(locks_of(&mut transaction).await?, 1);
        let head = store.head().await?;
        transaction.commit().await?;
        assert!(store.head().await? > head, "the lock held readers back until the commit");
    }
    Ok(())
}

/// A lock goes with the savepoint in which it was taken; the next append takes its own.
#[tokio::test]
async fn a_lock_that_was_rolled_back_is_taken_again() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    store.append(vec![append("before", Expected::Any)]).await?;
    let before = store.head().await?;
    let mut transaction = store.pool().begin().await?;
    let mut savepoint = transaction.begin().await?;
    store.append_in(&mut savepoint, vec![append("undone", Expected::Any)]).await?;
    savepoint.rollback().await?;
    let refused = vec![append("before", Expected::NoStream)];
    store.append_in(&mut transaction, refused).await.unwrap_err();
    store.append_in(&mut transaction, vec![append("kept", Expected::Any)]).await?;
    store.append(vec![append("after", Expected::Any)]).await?;
    assert_eq!((locks_of(&mut transaction).await?, store.head().await?), (1, before));
    transaction.commit().await?;
    assert_eq!(store.head().await?.get(), 4);
    Ok(())
}
