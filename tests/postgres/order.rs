//! The order of the log on a real server: what readers see while appends are under way, and where positions go.

use std::time::Duration;

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload, ReadAll};
use futures::TryStreamExt;
use tokio::time::timeout;

use super::{Error, fresh};

fn event() -> NewEvent {
    NewEvent::new(uuid::Uuid::now_v7(), "Happened", 1, Payload::new("{}"))
}

fn append(stream: &str) -> Append {
    Append::new(StreamId::new("order", stream), Expected::Any, vec![event()])
}

async fn streams(store: &PostgresStore) -> Result<Vec<String>, Error> {
    let read = store.read_all(ReadAll::after(Position::START));
    Ok(read.map_ok(|event| event.stream_id.id().to_owned()).try_collect().await?)
}

use annals_postgres::PostgresStore;

/// An append that drew its position first and commits last is not passed.
#[tokio::test]
async fn a_reader_stops_below_an_append_that_is_under_way() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    store.append(vec![append("before")]).await?;
    let mut slow = store.pool().begin().await?;
    store.append_in(&mut slow, vec![append("slow")]).await?;
    store.append(vec![append("fast")]).await?;
    assert_eq!(streams(&store).await?, ["before"], "`fast` is above a position that may come");
    let head = store.head().await?;
    timeout(Duration::from_millis(100), store.wait_for_events(head)).await.unwrap_err();
    slow.commit().await?;
    timeout(Duration::from_secs(5), store.wait_for_events(head)).await??;
    assert_eq!(streams(&store).await?, ["before", "slow", "fast"]);
    Ok(())
}

#[tokio::test]
async fn an_append_that_is_rolled_back_is_passed_afterwards() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let mut slow = store.pool().begin().await?;
    store.append_in(&mut slow, vec![append("slow")]).await?;
    store.append(vec![append("fast")]).await?;
    assert_eq!(streams(&store).await?, Vec::<String>::new());
    slow.rollback().await?;
    timeout(Duration::from_secs(5), store.wait_for_events(Position::START)).await??;
    assert_eq!(streams(&store).await?, ["fast"]);
    Ok(())
}

/// Not the oldest transaction of the server is what readers wait for, but only appends.
#[tokio::test]
async fn an_open_transaction_of_anyone_else_holds_nobody_up() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let mut other = store.pool().begin().await?;
    sqlx::query("CREATE TABLE others (number bigint)").execute(&mut *other).await?;
    sqlx::query("INSERT INTO others VALUES (1)").execute(&mut *other).await?;
    for stream in ["a", "b"] {
        store.append(vec![append(stream)]).await?;
    }
    assert_eq!(streams(&store).await?, ["a", "b"]);
    other.rollback().await?;
    Ok(())
}

#[tokio::test]
async fn the_first_event_of_a_virgin_sequence_is_read() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    assert_eq!(store.head().await?, Position::START);
    let mut first = store.pool().begin().await?;
    store.append_in(&mut first, vec![append("first")]).await?;
    store.append(vec![append("second")]).await?;
    assert_eq!(streams(&store).await?, Vec::<String>::new());
    first.commit().await?;
    timeout(Duration::from_secs(5), store.wait_for_events(Position::START)).await??;
    assert_eq!(streams(&store).await?, ["first", "second"]);
    Ok(())
}

#[tokio::test]
async fn positions_go_beyond_32_bits_and_end_at_48() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    for last in [(1_u64 << 32) - 1, (1 << 47) - 1, (1 << 48) - 2] {
        sqlx::query("SELECT setval('annals.positions', $1)")
            .bind(i64::try_from(last)?)
            .execute(store.pool())
            .await?;
        let mut slow = store.pool().begin().await?;
        let receipts = store.append_in(&mut slow, vec![append("slow")]).await?;
        assert_eq!(receipts[0].position.get(), last + 1);
        assert!(store.head().await?.get() <= last, "the lock of a high position is seen");
        slow.commit().await?;
        assert_eq!(store.head().await?.get(), last + 1);
    }
    let full = store.append(vec![append("beyond")]).await.unwrap_err();
    assert_eq!(full.to_string(), "append: the log has reached its last position, 2^48 - 1");
    Ok(())
}

/// A stream's order and the log's never contradict each other, whoever appends from where.
#[tokio::test]
async fn the_order_of_a_stream_is_the_order_of_positions() -> Result<(), Error> {
    let (store, database) = fresh().await?;
    let mut writers = Vec::new();
    for _ in 0..8 {
        // A store of its own each: they meet in the database only.
        let store = PostgresStore::connect(database.url()).await?;
        writers.push(tokio::spawn(async move {
            for _ in 0..50 {
                store.append(vec![append("one"), append("two")]).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await?;
    }
    let mut versions = [0, 0];
    let events: Vec<RecordedEvent> =
        store.read_all(ReadAll::after(Position::START)).try_collect().await?;
    assert_eq!(events.len(), 800);
    for event in events {
        let version = &mut versions[usize::from(event.stream_id.id() == "two")];
        *version += 1;
        assert_eq!(event.stream_version, *version, "{} at {}", event.stream_id, event.position);
    }
    Ok(())
}

#[tokio::test]
async fn an_append_at_another_isolation_level_is_refused() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let mut transaction = store.pool().begin().await?;
        let set = format!("SET TRANSACTION ISOLATION LEVEL {level}");
        sqlx::query(sqlx::AssertSqlSafe(set)).execute(&mut *transaction).await?;
        let refused = store.append_in(&mut transaction, vec![append("a")]).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "append: the transaction is not at READ COMMITTED, which the order of the log needs"
        );
    }
    Ok(())
}

/// A default that was changed for all sessions is not what the store goes by.
#[tokio::test]
async fn another_default_isolation_level_does_not_matter() -> Result<(), Error> {
    let (store, database) = fresh().await?;
    let name: String =
        sqlx::query_scalar("SELECT current_database()").fetch_one(store.pool()).await?;
    let alter =
        format!("ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'serializable'");
    sqlx::query(sqlx::AssertSqlSafe(alter)).execute(store.pool()).await?;
    let store = PostgresStore::connect(database.url()).await?;
    store.append(vec![append("a")]).await?;
    assert_eq!(streams(&store).await?, ["a"]);
    Ok(())
}

/// An append that meets the lock of a transaction which goes on is waited for by its own caller only.
#[tokio::test]
async fn a_stream_that_is_locked_holds_up_no_other() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let mut long = store.pool().begin().await?;
    store.append_in(&mut long, vec![append("locked")]).await?;
    let blocked = tokio::spawn({
        let store = store.clone();
        async move { store.append(vec![append("locked")]).await }
    });
    for number in 0..20 {
        let other = store.append(vec![append(&format!("other-{number}"))]);
        timeout(Duration::from_secs(10), other).await??;
    }
    assert!(!blocked.is_finished());
    long.commit().await?;
    let receipts = timeout(Duration::from_secs(10), blocked).await???;
    assert_eq!(receipts[0].stream_version, 2);
    Ok(())
}

/// Two processes that append to the same streams in another order each wait for one another, and neither is undone.
#[tokio::test]
async fn appends_to_the_same_streams_do_not_deadlock() -> Result<(), Error> {
    let (store, database) = fresh().await?;
    let mut writers = Vec::new();
    for number in 0..4 {
        let store = PostgresStore::connect(database.url()).await?;
        writers.push(tokio::spawn(async move {
            for _ in 0..25 {
                let mut appends = vec![append("one"), append("two"), append("three")];
                appends.rotate_left(number % 3);
                store.append(appends).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await?;
    }
    let deadlocks: i64 = sqlx::query_scalar(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
    )
    .fetch_one(store.pool())
    .await?;
    assert_eq!(deadlocks, 0);
    Ok(())
}

/// A log that was cut back under a reader, as by a restore, is no silent wait.
#[tokio::test]
async fn a_log_that_was_cut_back_is_told_to_who_waits_at_its_old_end() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    for stream in ["a", "b", "c"] {
        store.append(vec![append(stream)]).await?;
    }
    let head = store.head().await?;
    sqlx::raw_sql(
        "ALTER TABLE annals.events DISABLE TRIGGER events_stay;
         DELETE FROM annals.events WHERE position > 1;
         SELECT setval('annals.positions', 1);
         ALTER TABLE annals.events ENABLE TRIGGER events_stay;",
    )
    .execute(store.pool())
    .await?;
    let told = timeout(Duration::from_secs(5), store.wait_for_events(head)).await?.unwrap_err();
    assert!(told.to_string().contains("but the log ends at 1"), "{told}");
    assert_eq!(store.head().await?.get(), 1);
    store.append(vec![append("d")]).await?;
    assert_eq!(streams(&store).await?, ["a", "d"]);
    Ok(())
}

/// A sender whose runtime ends before it ran leaves the queue to the next.
#[test]
fn an_append_whose_runtime_ends_holds_up_no_other() -> Result<(), Error> {
    use futures::FutureExt;

    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (lasting, ending) = (runtime()?, runtime()?);
    let (store, database) = lasting.block_on(fresh())?;
    ending.block_on(async {
        assert!(store.append(vec![append("a")]).now_or_never().is_none());
    });
    drop(ending);
    lasting.block_on(async {
        timeout(Duration::from_secs(10), store.append(vec![append("b")])).await??;
        assert_eq!(streams(&store).await?, ["b"]);
        drop(database);
        Ok(())
    })
}
