//! Projections beside the same by hand: catch-up of 100,000 events over 1,000 rows, and the time from a commit to its row.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload};
use annals_postgres::PostgresStore;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, Row};

use super::latency::show_shares;
use super::measure::{Times, sorted};

/// How many events there are, of how many rows.
const EVENTS: u64 = 100_000;
const ROWS: u64 = 1_000;

/// How many events a batch by hand has.
const BATCH: i64 = 5_000;

/// How often each candidate catches up.
const ROUNDS: usize = 5;

const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
pub struct MeterId(String);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub struct Counted {
    amount: i64,
}

#[derive(Debug, Clone, Aggregate)]
#[aggregate(id = MeterId, events(Counted))]
pub struct Meter;

#[handlers]
impl Meter {
    #[apply(upsert)]
    fn counted(_: Option<Self>, _: &Counted) -> Self {
        Self
    }
}

#[derive(Debug, Clone, PartialEq, ReadModel)]
#[read_model(table = "meters")]
pub struct MeterRow {
    #[read_model(key)]
    meter: MeterId,
    amount: i64,
    events: i64,
}

#[projection]
impl MeterRow {
    #[on(upsert)]
    fn counted(row: Option<Self>, event: &Counted, cx: &EventContext<Self>) -> Self {
        let (amount, events) = row.map_or((0, 0), |row| (row.amount, row.events));
        Self { meter: cx.key().clone(), amount: amount + event.amount, events: events + 1 }
    }
}

/// Catches up by an engine and by hand, in turns.
pub async fn catch_up(store: &PostgresStore, pool: &PgPool) -> (Times, Times) {
    for part in 0..EVENTS / ROWS / 10 {
        let mut appends = Vec::new();
        for meter in 0..ROWS {
            let stream = StreamId::new("meter", meter);
            appends.push(Append::new(stream, Expected::at(part * 10), counted(10)));
        }
        for appends in appends.chunks(100) {
            store.append(appends.to_vec()).await.expect("filled");
        }
    }
    sqlx::raw_sql(
        "CREATE TABLE raw_meters (meter text COLLATE \"C\" PRIMARY KEY, amount bigint NOT NULL, events bigint NOT NULL);
         CREATE TABLE raw_checkpoint (position bigint NOT NULL); INSERT INTO raw_checkpoint VALUES (0)",
    )
    .execute(pool)
    .await
    .expect("made");
    let engine = ProjectionEngine::builder(store.clone()).register::<MeterRow>();
    let engine = engine.start().await.expect("an engine");
    let last = store.head().await.expect("the log's end");
    let stream = StreamId::new("meter", 0);
    let head = store.stream_head(&stream).await.expect("the stream's end");
    let mut receipt = Receipt::new(stream, head, 1);
    receipt.position = last;
    engine.wait_for::<MeterRow>(&receipt, PATIENCE).await.expect("it comes there");
    let (mut annals, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        engine.rebuild::<MeterRow>().await.expect("rebuilt");
        annals.push(begun.elapsed());
        sqlx::raw_sql("TRUNCATE raw_meters; UPDATE raw_checkpoint SET position = 0")
            .execute(pool)
            .await
            .expect("emptied");
        let begun = Instant::now();
        by_hand(pool).await;
        raw.push(begun.elapsed());
    }
    let expected: (i64, i64) = (EVENTS as i64, ROWS as i64);
    for table in ["meters", "raw_meters"] {
        let sql = format!("SELECT sum(amount)::bigint, count(*) FROM {table}");
        let found: (i64, i64) =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_one(pool).await.expect("summed");
        assert_eq!(found, expected, "{table}");
    }
    engine.shutdown().await.expect("it ends");
    (sorted(annals), sorted(raw))
}

/// How many events the engine passes while its memory is looked at.
const MANY: u64 = 1_000_000;

/// Passes a million events, and tells by how much the program grew at most meanwhile.
pub async fn memory(store: &PostgresStore) {
    let before_all = store.head().await.expect("the log's end");
    let done = EVENTS / ROWS;
    for part in 0..(MANY - EVENTS) / ROWS / 10 {
        let appends: Vec<Append> = (0..ROWS)
            .map(|meter| {
                let expected = Expected::at(done + part * 10);
                Append::new(StreamId::new("meter", meter), expected, counted(10))
            })
            .collect();
        for appends in appends.chunks(100) {
            store.append(appends.to_vec()).await.expect("filled");
        }
    }
    assert!(store.head().await.expect("the log's end") > before_all);
    let engine = ProjectionEngine::builder(store.clone()).register::<MeterRow>();
    let engine = engine.start().await.expect("an engine");
    let Some(before) = resident() else {
        return println!("the memory of a process is not told on this machine");
    };
    let mut most = before;
    let begun = Instant::now();
    {
        let mut rebuild = std::pin::pin!(engine.rebuild::<MeterRow>());
        loop {
            tokio::select! {
                rebuilt = &mut rebuild => break rebuilt.expect("rebuilt"),
                () = tokio::time::sleep(Duration::from_millis(5)) => {
                    most = most.max(resident().unwrap_or_default());
                }
            }
        }
    }
    println!(
        "memory of a rebuild of 1,000,000 events over 1,000 rows: {:.1} MiB more at most than the {:.1} MiB before, in {:.1} s",
        (most - before) as f64 / 1024.0,
        before as f64 / 1024.0,
        begun.elapsed().as_secs_f64()
    );
    engine.shutdown().await.expect("it ends");
}

/// The resident memory of this process in KiB, where the system tells it as Linux does.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// How many events a round passes.
pub const fn events() -> usize {
    EVENTS as usize
}

fn counted(count: usize) -> Vec<NewEvent> {
    let event =
        || NewEvent::new(uuid::Uuid::now_v7(), "Counted", 1, Payload::new(r#"{"amount":1}"#));
    (0..count).map(|_| event()).collect()
}

/// Batches by hand: read, read the rows, fold, one upsert with the checkpoint.
async fn by_hand(pool: &PgPool) {
    let mut connection = pool.acquire().await.expect("a connection");
    let mut after = 0_i64;
    loop {
        let events = sqlx::query(
            "SELECT position, stream_id, data::text FROM annals.events
              WHERE event_type = 'Counted' AND position > $1 ORDER BY position LIMIT $2",
        )
        .bind(after)
        .bind(BATCH)
        .fetch_all(&mut *connection)
        .await
        .expect("read");
        let Some(last) = events.last() else { return };
        after = last.get(0);
        let mut rows: HashMap<String, (i64, i64)> = HashMap::new();
        let events: Vec<(String, Counted)> = events
            .iter()
            .map(|row| {
                let meter = row.get::<&str, _>(1).split_once('-').expect("an id").1.to_owned();
                (meter, serde_json::from_str(row.get(2)).expect("an event"))
            })
            .collect();
        let mut keys: Vec<&String> = events.iter().map(|(meter, _)| meter).collect();
        keys.sort_unstable();
        keys.dedup();
        let kept =
            sqlx::query("SELECT meter, amount, events FROM raw_meters WHERE meter = ANY($1)")
                .bind(&keys)
                .fetch_all(&mut *connection)
                .await
                .expect("read");
        for row in kept {
            rows.insert(row.get(0), (row.get(1), row.get(2)));
        }
        for (meter, event) in events {
            let (amount, count) = rows.entry(meter).or_default();
            *amount += event.amount;
            *count += 1;
        }
        let (mut meters, mut amounts, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for (meter, (amount, count)) in rows {
            meters.push(meter);
            amounts.push(amount);
            counts.push(count);
        }
        sqlx::query(
            "WITH moved AS (UPDATE raw_checkpoint SET position = $4)
             INSERT INTO raw_meters SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
             ON CONFLICT (meter) DO UPDATE SET amount = excluded.amount, events = excluded.events",
        )
        .bind(&meters)
        .bind(&amounts)
        .bind(&counts)
        .bind(after)
        .execute(&mut *connection)
        .await
        .expect("written");
    }
}

/// From the commit of an append until its row says so.
pub async fn latency(store: &PostgresStore) {
    const APPENDS: usize = 300;
    let engine = ProjectionEngine::builder(store.clone()).register::<MeterRow>();
    let engine = engine.start().await.expect("an engine");
    let mut times = Vec::new();
    for number in 0..APPENDS {
        let stream = StreamId::new("meter", format!("latency-{number}"));
        let append = Append::new(stream, Expected::NoStream, counted(1));
        let receipt = store.append(vec![append]).await.expect("appended").remove(0);
        let committed = Instant::now();
        engine.wait_for::<MeterRow>(&receipt, PATIENCE).await.expect("it comes there");
        times.push(committed.elapsed());
    }
    println!("from commit to the read model's row, ms");
    show_shares(times);
    engine.shutdown().await.expect("it ends");
}
