//! What things cost beside ever more stored events, which are stored by SQL at once: an append, a load, a look at the log's end, a
//! catch-up, and the room of tables and indexes.

use std::time::Instant;

use annals::prelude::*;
use annals::{Append, EventFilter, Expected, ReadAll};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;

use super::domain::{InBulk, events};
use super::measure::{Figure, time};
use super::report::Report;

/// Stores events up to this number, ten to a stream; their ids rise with time, as those of programs do.
const BULK: &str = "INSERT INTO annals.events (position, stream_id, stream_version, category, event_id, event_type,
    schema_version, readable_from, data, metadata, recorded_at)
    SELECT nextval('annals.positions'), 'bulk-' || n / 10, n % 10 + 1, 'bulk',
           (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
           'Deposited', 1, 1, '{\"amount\":1}', '{\"correlation_id\":\"a benchmark\"}', clock_timestamp()
      FROM generate_series($1::bigint, $2::bigint - 1) AS n";

/// How many events one statement stores at most.
const PART: i64 = 500_000;

/// How often each thing is done for one figure.
const TIMES: usize = 200;

const ROUNDS: usize = 9;

/// The first rounds are not counted: they read what the others find in memory.
const WARM_UP: usize = 5;

/// How much the last append may cost beside the first, since machines are noisy: as much, or it grows.
const AS_MUCH: f64 = 1.25;

pub async fn costs(report: &mut Report) {
    // A database of its own: what the other parts stored does not count.
    let database = TestDatabase::create().await.expect("a server");
    let store = PostgresStore::connect(database.url()).await.expect("the server is there");
    store.migrate().await.expect("migrated");
    let sizes: &[i64] =
        if report.is_quick() { &[10_000, 300_000] } else { &[10_000, 1_000_000, 10_000_000] };
    let (mut stored, mut first) = (0, None);
    for &size in sizes {
        while stored < size {
            let end = (stored + PART).min(size);
            let bulk = sqlx::query(BULK).bind(stored).bind(end);
            bulk.execute(store.pool()).await.expect("stored");
            stored = end;
        }
        // What the server would do by itself, but at some moment in between.
        for tidy_up in ["VACUUM ANALYZE annals.events", "CHECKPOINT"] {
            sqlx::raw_sql(tidy_up).execute(store.pool()).await.expect("tidied up");
        }
        let append = each(async |round| appends(&store, size, round).await).await;
        report.tell(&format!("an append at {size} events"), append, "µs", None);
        let first = *first.get_or_insert(append.median);
        if size != sizes[0] {
            let beside = append.map(|micros| micros / first);
            let work = format!("an append at {size} events, beside one at {}", sizes[0]);
            report.tell(&work, beside, "times", Some(AS_MUCH));
        }
        let load = each(async |round| loads(&store, size, round).await).await;
        report.tell(&format!("a load of ten events at {size} events"), load, "µs", None);
        let tail = each(async |_| tails(&store).await).await;
        report.tell(
            &format!("a read of the log's last ten events at {size} events"),
            tail,
            "µs",
            None,
        );
        catch_up(report, &store, size).await;
        room(report, &store, size).await;
    }
}

/// Microseconds for each of what is done so many times.
async fn each(mut run: impl AsyncFnMut(usize)) -> Figure {
    let mut rounds = Vec::new();
    for round in 0..WARM_UP + ROUNDS {
        let taken = time(run(round)).await.as_secs_f64() * 1e6 / TIMES as f64;
        rounds.extend((round >= WARM_UP).then_some(taken));
    }
    Figure::of(rounds)
}

async fn appends(store: &PostgresStore, size: i64, round: usize) {
    for number in 0..TIMES {
        let stream = StreamId::new("tally", format!("cost-{size}-{round}-{number}"));
        let append = Append::new(stream, Expected::NoStream, events(1));
        store.append(vec![append]).await.expect("appended");
    }
}

async fn loads(store: &PostgresStore, size: i64, round: usize) {
    let bulk = Repository::<InBulk>::new(store.clone());
    for number in 0..TIMES as i64 {
        // All over the log, and not the same each time.
        let stream = (number * 7_919 + round as i64 * 104_729) % (size / 10 - 1);
        let loaded = bulk.load(&*stream.to_string()).await.expect("loaded").expect("it is there");
        assert_eq!(loaded.stream_version, 10);
    }
}

async fn tails(store: &PostgresStore) {
    let head = store.head().await.expect("the log's end").get();
    for _ in 0..TIMES {
        let page = store.log_page(&ReadAll::after(Position::from(head - 10)).limit(10)).await;
        assert_eq!(page.expect("read").events.len(), 10);
    }
}

/// Reads up to a million events of the log from its beginning, as a subscription does.
async fn catch_up(report: &mut Report, store: &PostgresStore, size: i64) {
    const PAGE: usize = 1_000;
    const MOST: usize = 1_000_000;
    let (begun, mut read, mut after) = (Instant::now(), 0, Position::START);
    let filter = EventFilter::default();
    while read < MOST {
        let page = ReadAll::after(after).filter(filter.clone()).limit(PAGE);
        let page = store.log_page(&page).await.expect("read");
        read += page.events.len();
        let Some(last) = page.events.last() else { break };
        after = last.position;
    }
    let rate = Figure::once(read as f64 / begun.elapsed().as_secs_f64());
    report.tell(&format!("events read in catch-up at {size} events"), rate, "a second", None);
}

/// Tells the bytes that an event takes in its table, and in each index.
async fn room(report: &mut Report, store: &PostgresStore, size: i64) {
    let sizes: Vec<(String, i64)> = sqlx::query_as(
        "SELECT 'the table', pg_table_size('annals.events')
          UNION ALL SELECT 'index ' || indexrelid::regclass, pg_relation_size(indexrelid)
               FROM pg_index WHERE indrelid = 'annals.events'::regclass",
    )
    .fetch_all(store.pool())
    .await
    .expect("sizes");
    let (count,): (i64,) = sqlx::query_as("SELECT count(*) FROM annals.events")
        .fetch_one(store.pool())
        .await
        .expect("counted");
    for (what, bytes) in sizes {
        let each = Figure::once(bytes as f64 / count as f64);
        report.tell(&format!("bytes of an event at {size} events, {what}"), each, "bytes", None);
    }
}
