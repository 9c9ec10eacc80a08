//! The steps of an append and of a look at the log's end, held between one another: in their order no reader passes an event,
//! and in another one would.

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload};
use annals_postgres::PostgresStore;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use tokio::time::timeout;

use super::{Error, fresh};

const SOON: std::time::Duration = std::time::Duration::from_secs(20);

/// Waits while the gate is shut, where the session is one that stops at it. A lock of two numbers is none of the store's.
const GATE: &str = "IF current_setting('test.stops', true) = 'yes' THEN PERFORM pg_advisory_lock_shared(7, 7); END IF;";

const READ_SEQUENCE: &str = "SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END INTO below FROM annals.positions AS s;";
const DRAW: &str = "positions := ARRAY(
        SELECT nextval('annals.positions') FROM generate_series(1, cardinality(event_id))
    );";

/// In which order a function does its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Ours,
    Swapped,
}

/// Makes one of the store's functions anew.
pub async fn remake(
    store: &PostgresStore,
    name: &str,
    remade: impl FnOnce(&str) -> String,
) -> Result<(), Error> {
    let sql = "SELECT pg_get_functiondef(oid) FROM pg_proc
                WHERE proname = $1 AND pronamespace = 'annals'::regnamespace";
    let definition: String = sqlx::query_scalar(sql).bind(name).fetch_one(store.pool()).await?;
    store.pool().execute(AssertSqlSafe(remade(&definition))).await?;
    Ok(())
}

/// The part of a text from one of its parts to the end of another, which comes after it.
fn part<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let begin = text.find(from).expect("it is there");
    let end = begin + text[begin..].find(to).expect("it ends") + to.len();
    &text[begin..end]
}

fn append(stream: &str) -> Append {
    let event = NewEvent::new(uuid::Uuid::now_v7(), "Happened", 1, Payload::new("{}"));
    Append::new(StreamId::new("order", stream), Expected::Any, vec![event])
}

/// A session that shuts the gate for those that stop at it, until it is closed.
async fn shut(url: &str) -> Result<PgConnection, Error> {
    let mut gate = PgConnection::connect(url).await?;
    gate.execute("SELECT pg_advisory_lock(7, 7)").await?;
    Ok(gate)
}

/// A store whose sessions stop at the gate.
async fn stopping(url: &str) -> Result<PostgresStore, Error> {
    let builder = PostgresStore::builder().after_connect(|connection| {
        Box::pin(async move { connection.execute("SET test.stops = 'yes'").await.map(drop) })
    });
    Ok(builder.connect(url).await?)
}

/// Waits until somebody stands at the gate.
async fn stands_at_the_gate(store: &PostgresStore) -> Result<(), Error> {
    let waiting = "SELECT count(*) FROM pg_locks
                    WHERE locktype = 'advisory' AND objsubid = 2 AND classid = 7 AND NOT granted
                      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    timeout(SOON, async {
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(store.pool()).await? == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        Ok(())
    })
    .await?
}

/// A reader stops between its looks at the sequence and at the locks. Meanwhile one append draws a position and goes on, and
/// another draws the next and commits. Tells whether the reader passes the first.
async fn a_reader_that_stops_passes(order: Order) -> Result<bool, Error> {
    let (store, database) = fresh().await?;
    remake(&store, "ceiling", |definition| {
        let locks = part(definition, "SELECT min(((held.classid", "current_database());");
        let both = part(definition, READ_SEQUENCE, locks);
        let steps = match order {
            Order::Ours => format!("{READ_SEQUENCE} {GATE} {locks}"),
            Order::Swapped => format!("{locks} {GATE} {READ_SEQUENCE}"),
        };
        definition.replace(both, &steps)
    })
    .await?;
    store.append(vec![append("before")]).await?;
    let reader = stopping(database.url()).await?;
    let gate = shut(database.url()).await?;
    let looking = tokio::spawn(async move { reader.head().await });
    stands_at_the_gate(&store).await?;
    let mut slow = store.pool().begin().await?;
    let under_way = store.append_in(&mut slow, vec![append("slow")]).await?[0].position;
    store.append(vec![append("fast")]).await?;
    gate.close().await?;
    let readable = timeout(SOON, looking).await???;
    slow.commit().await?;
    Ok(readable >= under_way)
}

/// An append stops between its lock and its draw. Meanwhile another draws and commits, and a reader looks. Tells whether the
/// reader passes the first.
async fn an_append_that_stops_is_passed(order: Order) -> Result<bool, Error> {
    let (store, database) = fresh().await?;
    remake(&store, "append", |definition| {
        let lock = part(definition, "IF cardinality(event_id) > 0 AND", "END IF;");
        let steps = match order {
            Order::Ours => format!("{lock} {GATE}"),
            Order::Swapped => format!("{DRAW} {GATE} {lock}"),
        };
        let drawn = match order {
            Order::Ours => DRAW,
            Order::Swapped => "",
        };
        definition.replace(DRAW, drawn).replace(lock, &steps)
    })
    .await?;
    store.append(vec![append("before")]).await?;
    let writer = stopping(database.url()).await?;
    let gate = shut(database.url()).await?;
    let appending = tokio::spawn(async move {
        let mut transaction = writer.pool().begin().await?;
        let receipts = writer.append_in(&mut transaction, vec![append("slow")]).await?;
        transaction.commit().await?;
        Ok::<_, Error>(receipts)
    });
    stands_at_the_gate(&store).await?;
    store.append(vec![append("fast")]).await?;
    let readable = store.head().await?;
    gate.close().await?;
    let receipts = timeout(SOON, appending).await???;
    Ok(readable >= receipts[0].position)
}

#[tokio::test]
async fn the_sequence_is_read_before_the_locks() -> Result<(), Error> {
    assert!(!a_reader_that_stops_passes(Order::Ours).await?);
    assert!(a_reader_that_stops_passes(Order::Swapped).await?, "another order is seen to be wrong");
    Ok(())
}

#[tokio::test]
async fn the_lock_is_taken_before_the_draw() -> Result<(), Error> {
    assert!(!an_append_that_stops_is_passed(Order::Ours).await?);
    assert!(
        an_append_that_stops_is_passed(Order::Swapped).await?,
        "another order is seen to be wrong"
    );
    Ok(())
}

/// What stands alone in its transaction goes by one plain statement, for one event or for several: it draws nothing, and does not
/// look at the clock, while it waits for its lock.
#[tokio::test]
async fn an_append_that_waits_for_its_lock_has_drawn_nothing() -> Result<(), Error> {
    for events in [1, 2] {
        let (store, database) = fresh().await?;
        let mut other = store.pool().begin().await?;
        store.append_in(&mut other, vec![append("before")]).await?;
        let namespace: i64 = sqlx::query_scalar(
            "SELECT (classid::bigint >> 16) << 48 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .fetch_one(store.pool())
        .await?;
        other.commit().await?;
        let drawn = "SELECT last_value FROM annals.positions";
        let before: i64 = sqlx::query_scalar(drawn).fetch_one(store.pool()).await?;
        let mut gate = PgConnection::connect(database.url()).await?;
        let shut = sqlx::query("SELECT pg_advisory_lock($1)").bind(namespace | before);
        shut.execute(&mut gate).await?;
        let writer = store.clone();
        let mut waits = append("waits");
        waits.events.resize_with(events, || append("waits").events.remove(0));
        let appending = tokio::spawn(async move { writer.append(vec![waits]).await });
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND NOT granted
                          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        timeout(SOON, async {
            while sqlx::query_scalar::<_, i64>(waiting).fetch_one(store.pool()).await? == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            Ok::<_, Error>(())
        })
        .await??;
        assert_eq!(sqlx::query_scalar::<_, i64>(drawn).fetch_one(store.pool()).await?, before);
        let clock = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        let opened: i64 = sqlx::query_scalar(clock).fetch_one(&mut gate).await?;
        gate.close().await?;
        let receipts = timeout(SOON, appending).await???;
        assert!(receipts[0].position.get() > u64::try_from(before)?);
        assert_eq!(receipts[0].events, events as u64);
        let recorded_at = receipts[0].recorded_at.as_micros();
        assert!(recorded_at >= opened, "{recorded_at}, {opened}");
    }
    Ok(())
}

/// The server's clock was set back: within a stream, no event is recorded before the one before it.
#[tokio::test]
async fn instants_never_go_back_in_a_stream_though_the_clock_does() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    store.append(vec![append("a")]).await?;
    let later = "INSERT INTO annals.events
        (position, stream_id, stream_version, category, event_id, event_type, schema_version, readable_from, data, metadata, recorded_at)
        SELECT nextval('annals.positions'), stream_id, 2, category, gen_random_uuid(), event_type, 1, 1, data, metadata,
               recorded_at + interval '1 hour'
          FROM annals.events";
    store.pool().execute(later).await?;
    let one = store.append(vec![append("a")]).await?.remove(0);
    let mut several = append("a");
    several.events.push(append("a").events.remove(0));
    let several = store.append(vec![several]).await?.remove(0);
    let mut keyed = append("a");
    let content = annals::ContentHash::of(&serde_json::Value::Null);
    keyed.key = Some(annals::KeyClaim::new("key", "Command", content, annals::KeyOwner::Process));
    let keyed = store.append(vec![keyed]).await?.remove(0);
    let page = store.stream_page(&annals::ReadStream::new(StreamId::new("order", "a"))).await?;
    let instants: Vec<_> = page.events.iter().map(|event| event.recorded_at).collect();
    assert!(instants.is_sorted() && instants[1] > instants[0], "{instants:?}");
    assert_eq!([one, several, keyed].map(|receipt| receipt.recorded_at), [instants[1]; 3]);
    Ok(())
}
