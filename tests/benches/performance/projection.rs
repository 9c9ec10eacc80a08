//! Projections beside the same by hand: catch-up of 100,000 events over 1,000 rows, and the time from a command to its row.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload};
use annals_postgres::PostgresStore;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, Row};

use super::Bench;
use super::latency::{histogram, record, tell};
use super::measure::{Figure, Turns, in_turns};
use super::report::{Bound, Report, Unit};

/// How many events there are, of how many rows.
const EVENTS: u64 = 100_000;
const ROWS: u64 = 1_000;

/// How many events a batch by hand has.
const BATCH: i64 = 5_000;

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

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct Count {
    #[command(id)]
    meter: MeterId,
}

#[handlers]
impl Meter {
    #[handle(upsert)]
    fn count(_: Option<&Self>, _: Count) -> Vec<Counted> {
        vec![Counted { amount: 1 }]
    }

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

impl Bench {
    pub async fn projection(&mut self) {
        let turns = catch_up(&self.store, &self.pool, self.rounds.min(7)).await;
        self.report.compare(
            "projection catch-up, 100,000 events over 1,000 rows, each",
            &turns,
            usize::try_from(EVENTS).expect("few enough"),
            Unit::Microseconds,
            Some(Bound::RateAtLeast(0.7)),
        );
        self.until_its_row().await;
    }

    /// From a command until its row can be read.
    async fn until_its_row(&mut self) {
        let engine = ProjectionEngine::builder(self.store.clone()).register::<MeterRow>();
        let engine = engine.start().await.expect("an engine");
        let bus = CommandBus::new(self.store.clone());
        let rows = engine.read_models();
        let (mut from_command, mut from_commit) = (histogram(), histogram());
        for number in 0..500 {
            let meter = MeterId(format!("latency-{number}"));
            let begun = Instant::now();
            let receipt = bus.dispatch(Count { meter: meter.clone() }).await.expect("appended");
            let committed = Instant::now();
            engine.wait_for::<MeterRow>(&receipt, PATIENCE).await.expect("it comes there");
            record(&mut from_commit, committed.elapsed());
            assert_eq!(rows.get::<MeterRow>(meter).await.expect("read").expect("a row").amount, 1);
            record(&mut from_command, begun.elapsed());
        }
        tell(&mut self.report, "from commit to the read model's row", &from_commit);
        tell(&mut self.report, "from command to readable row", &from_command);
        let worst = Figure::once(from_command.value_at_quantile(0.999) as f64 / 1e6);
        let work = "from command to readable row, all but one in a thousand";
        self.report.tell(work, worst, "ms", Some(500.0));
        engine.shutdown().await.expect("it ends");
    }
}

/// Catches up by an engine and by hand, in turns.
async fn catch_up(store: &PostgresStore, pool: &PgPool, rounds: usize) -> Turns {
    fill(store, EVENTS / ROWS).await;
    sqlx::raw_sql(
        "CREATE TABLE raw_meters (meter text COLLATE \"C\" PRIMARY KEY, amount bigint NOT NULL, events bigint NOT NULL);
         CREATE TABLE raw_checkpoint (position bigint NOT NULL); INSERT INTO raw_checkpoint VALUES (0)",
    )
    .execute(pool)
    .await
    .expect("made");
    let engine = ProjectionEngine::builder(store.clone()).register::<MeterRow>();
    let engine = engine.start().await.expect("an engine");
    let turns = in_turns(
        rounds,
        async |_| engine.rebuild::<MeterRow>().await.expect("rebuilt"),
        async |_| by_hand(pool).await,
    )
    .await;
    let expected: (i64, i64) = (EVENTS as i64, ROWS as i64);
    for table in ["meters", "raw_meters"] {
        let sql = format!("SELECT sum(amount)::bigint, count(*) FROM {table}");
        let found: (i64, i64) =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_one(pool).await.expect("summed");
        assert_eq!(found, expected, "{table}");
    }
    engine.shutdown().await.expect("it ends");
    turns
}

/// Stores events of all meters, ten of each at once, up to a version.
async fn fill(store: &PostgresStore, to: u64) {
    for version in (0..to).step_by(10) {
        let appends: Vec<Append> = (0..ROWS)
            .map(|meter| {
                Append::new(StreamId::new("meter", meter), Expected::at(version), counted(10))
            })
            .collect();
        for appends in appends.chunks(100) {
            store.append(appends.to_vec()).await.expect("filled");
        }
    }
}

/// Tells how long something takes, by how much the program grows at most meanwhile, and how large it is then.
pub async fn watched<T>(report: &mut Report, what: &str, load: impl IntoFuture<Output = T>) -> T {
    let before = resident();
    let load = load.into_future();
    let (mut most, begun, mut load) = (before, Instant::now(), std::pin::pin!(load));
    let done = loop {
        tokio::select! {
            done = &mut load => break done,
            () = tokio::time::sleep(Duration::from_millis(5)) => most = most.max(resident()),
        }
    };
    report.tell(what, Figure::once(begun.elapsed().as_secs_f64()), "s", None);
    // Where the system does not tell it, nobody knows.
    if let (Some(before), Some(most)) = (before, most) {
        let grown = Figure::once((most - before) as f64 / 1024.0);
        report.tell(&format!("{what}, memory more than before"), grown, "MiB", None);
        let whole = Figure::once(most as f64 / 1024.0);
        report.tell(&format!("{what}, memory of the program"), whole, "MiB", None);
    }
    done
}

/// The resident memory of this process in KiB, where the system tells it as Linux does.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn counted(count: usize) -> Vec<NewEvent> {
    let event =
        || NewEvent::new(uuid::Uuid::now_v7(), "Counted", 1, Payload::new(r#"{"amount":1}"#));
    (0..count).map(|_| event()).collect()
}

/// Batches by hand: read, read the rows, fold, one upsert with the checkpoint.
async fn by_hand(pool: &PgPool) {
    let mut connection = pool.acquire().await.expect("a connection");
    let empty = "TRUNCATE raw_meters; UPDATE raw_checkpoint SET position = 0";
    sqlx::raw_sql(empty).execute(&mut *connection).await.expect("emptied");
    let mut after = 0_i64;
    loop {
        let events = sqlx::query(
            "SELECT position, stream_id, data FROM annals.events
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
                (meter, serde_json::from_str(row.get_unchecked(2)).expect("an event"))
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
