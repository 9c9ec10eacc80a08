//! What is bounded: the memory of pages and of the queue, the time of a statement; and what is not held up by it.

use std::sync::Arc;
use std::time::Duration;

use annals::prelude::*;
use annals::{Append, Direction, EventFilter, Expected, NewEvent, Payload, ReadAll, ReadStream};
use annals_postgres::testing::TestDatabase;
use annals_postgres::{PostgresStore, PostgresStoreBuilder};
use futures::TryStreamExt;
use futures::future::join_all;
use sqlx::Executor;
use tokio::time::timeout;

use super::Error;

const SOON: Duration = Duration::from_secs(20);

async fn store(builder: PostgresStoreBuilder) -> Result<(PostgresStore, TestDatabase), Error> {
    let database = TestDatabase::create().await?;
    let store = builder.connect(database.url()).await?;
    store.migrate().await?;
    Ok((store, database))
}

fn large(stream: &str, events: usize, bytes: usize) -> Append {
    let event = || {
        let text = Payload::new(format!("\"{}\"", "x".repeat(bytes)));
        NewEvent::new(uuid::Uuid::now_v7(), "Large", 1, text)
    };
    let events = (0..events).map(|_| event()).collect();
    Append::new(StreamId::new("limits", stream), Expected::Any, events)
}

fn bytes(events: &[RecordedEvent]) -> usize {
    events.iter().map(|event| event.data.as_str().len()).sum()
}

async fn all(store: &PostgresStore) -> Result<Vec<RecordedEvent>, Error> {
    Ok(store.read_all(ReadAll::after(Position::START)).try_collect().await?)
}

const BOUND: usize = 1_000_000;

async fn store_of_large_events() -> Result<(PostgresStore, TestDatabase), Error> {
    let (store, database) = store(PostgresStore::builder().page_bytes(BOUND)).await?;
    let appends = vec![large("a", 20, 300_000), large("a", 30, 10), large("a", 2, 3_000_000)];
    store.append(appends).await?;
    Ok((store, database))
}

#[tokio::test]
async fn a_page_of_a_stream_is_bounded_in_bytes() -> Result<(), Error> {
    let (store, _database) = store_of_large_events().await?;
    for direction in [Direction::Forwards, Direction::Backwards] {
        let mut whole = ReadStream::new(StreamId::new("limits", "a"));
        whole.direction = direction;
        let (mut read, mut versions) = (Some(whole), Vec::new());
        while let Some(next) = read {
            let page = store.stream_page(&next).await?;
            assert!(page.events.len() == 1 || bytes(&page.events) <= BOUND, "{next:?}");
            versions.extend(page.events.iter().map(|event| event.stream_version));
            read = next.following(&page)?;
        }
        if direction == Direction::Backwards {
            versions.reverse();
        }
        assert_eq!(versions, (1..=52).collect::<Vec<_>>(), "{direction:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_page_of_the_log_is_bounded_in_bytes() -> Result<(), Error> {
    let (store, _database) = store_of_large_events().await?;
    let filters = [
        EventFilter::all(),
        EventFilter::all().event_types(["Large"]),
        EventFilter::all().categories(["limits"]),
        EventFilter::all().streams([StreamId::new("limits", "a")]),
    ];
    for filter in filters {
        let mut read = Some(ReadAll::after(Position::START).filter(filter.clone()));
        let mut versions = Vec::new();
        while let Some(next) = read {
            let page = store.log_page(&next).await?;
            let but_one = page.events.len().saturating_sub(1);
            assert!(bytes(&page.events[..but_one]) <= BOUND, "{next:?}");
            versions.extend(page.events.iter().map(|event| event.stream_version));
            read = next.following(&page)?;
        }
        assert_eq!(versions, (1..=52).collect::<Vec<_>>(), "{filter:?}");
    }
    Ok(())
}

/// After events that were large, small ones are soon read in whole pages again.
#[tokio::test]
async fn pages_of_small_events_are_whole_again() -> Result<(), Error> {
    let (store, _database) = store(PostgresStore::builder().page_bytes(BOUND)).await?;
    store.append(vec![large("large", 3, 900_000), large("small", 3_000, 10)]).await?;
    let large = ReadStream::new(StreamId::new("limits", "large"));
    assert_eq!(store.stream_page(&large).await?.events.len(), 1);
    let small = ReadStream::new(StreamId::new("limits", "small"));
    let mut last = 0;
    for _ in 0..20 {
        last = store.stream_page(&small).await?.events.len();
    }
    assert_eq!(last, 1024);
    assert_eq!(all(&store).await?.len(), 3_003);
    Ok(())
}

/// Waits until so many sessions of the database wait for something.
async fn sessions_wait(store: &PostgresStore, sessions: i64, event: &str) -> Result<(), Error> {
    let waiting = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND state = 'active' AND $1 IN (wait_event, wait_event_type)";
    timeout(SOON, async {
        loop {
            let found: i64 =
                sqlx::query_scalar(waiting).bind(event).fetch_one(store.pool()).await?;
            if found >= sessions {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await?
}

/// What waits for room is not on its way: dropped, it is never stored.
#[tokio::test]
async fn metadata_takes_room_in_the_queue() -> Result<(), Error> {
    let (store, _database) = store(PostgresStore::builder().queue_bytes(64 * 1024)).await?;
    let heavy = |stream: &str| {
        let metadata = Metadata::default().with_header("trace", "x".repeat(40 * 1024));
        let mut append = large(stream, 1, 10);
        append.events[0].metadata = Arc::new(metadata);
        append
    };
    let mut lock = store.pool().begin().await?;
    lock.execute("LOCK TABLE annals.events IN ACCESS EXCLUSIVE MODE").await?;
    let first = tokio::spawn({
        let (store, append) = (store.clone(), heavy("first"));
        async move { store.append(vec![append]).await }
    });
    sessions_wait(&store, 1, "Lock").await?;
    timeout(Duration::from_millis(50), store.append(vec![heavy("second")])).await.unwrap_err();
    lock.rollback().await?;
    timeout(SOON, first).await???;
    timeout(SOON, store.append(vec![heavy("third")])).await??;
    let events = all(&store).await?;
    let streams: Vec<&str> = events.iter().map(|event| event.stream_id.id()).collect();
    assert_eq!(streams, ["first", "third"]);
    Ok(())
}

/// What is larger than all the room goes alone, and nobody waits for ever.
#[tokio::test]
async fn an_append_may_be_larger_than_the_queue() -> Result<(), Error> {
    let (store, _database) = store(PostgresStore::builder().queue_bytes(10_000)).await?;
    let appends = (0..20).map(|number| store.append(vec![large(&format!("{number}"), 1, 50_000)]));
    for appended in timeout(SOON, join_all(appends)).await? {
        appended?;
    }
    Ok(())
}

async fn slow_inserts(store: &PostgresStore, seconds: &str) -> Result<(), Error> {
    let slow = format!(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END $$;
         CREATE TRIGGER slow AFTER INSERT ON annals.events EXECUTE FUNCTION slow()"
    );
    store.pool().execute(sqlx::AssertSqlSafe(slow)).await?;
    Ok(())
}

#[tokio::test]
async fn appends_that_go_alone_go_side_by_side() -> Result<(), Error> {
    let (store, _database) = store(PostgresStore::builder().batch_calls(1)).await?;
    slow_inserts(&store, "0.5").await?;
    let appends: Vec<_> = (0..8)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(
                async move { store.append(vec![large(&format!("{number}"), 1, 10)]).await },
            )
        })
        .collect();
    sessions_wait(&store, 4, "PgSleep").await?;
    for append in appends {
        timeout(SOON, append).await???;
    }
    assert_eq!(all(&store).await?.len(), 8);
    Ok(())
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_told() -> Result<(), Error> {
    let builder = PostgresStore::builder().statement_timeout(Duration::from_millis(200));
    let (store, _database) = store(builder).await?;
    slow_inserts(&store, "60").await?;
    let refused = timeout(SOON, store.append(vec![large("a", 1, 10)])).await?.unwrap_err();
    assert_eq!(refused.to_string(), "append: it took longer than the statement time-out");
    store.pool().execute("DROP TRIGGER slow ON annals.events").await?;
    timeout(SOON, store.append(vec![large("b", 1, 10)])).await??;
    let events = all(&store).await?;
    let streams: Vec<&str> = events.iter().map(|event| event.stream_id.id()).collect();
    assert_eq!(streams, ["b"]);
    Ok(())
}
