//! What an append costs beside ever more stored events, which are stored by SQL at once.

use std::time::Instant;

use annals::{Append, EventStore, Expected, StreamId};
use annals_postgres::PostgresStore;

use super::measure::{Times, sorted};
use super::{ROUNDS, events, ratio, time};

/// Stores events up to this number, ten to a stream; their ids rise with time, as those of programs do.
const BULK: &str = "INSERT INTO annals.events (position, stream_id, stream_version, category, event_id, event_type,
    schema_version, readable_from, data, metadata, recorded_at)
    SELECT nextval('annals.positions'), 'bulk-' || n / 10, n % 10 + 1, 'bulk',
           (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
           'Deposited', 1, 1, '{\"amount\":1}', '{\"correlation_id\":\"a benchmark\"}', clock_timestamp()
      FROM generate_series($1::bigint, $2::bigint - 1) AS n";

/// How many events one statement stores at most.
const PART: i64 = 500_000;

pub async fn costs(store: &PostgresStore) {
    let mut stored = 0;
    let mut least: Option<Times> = None;
    for size in [10_000, 1_000_000, 10_000_000] {
        let begun = Instant::now();
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
        let loaded = begun.elapsed();
        let mut rounds = Vec::new();
        for round in 0..WARM_UP + ROUNDS {
            let taken = time(appends(store, size, round)).await;
            // The first are not counted: they read what the others find in memory.
            rounds.extend((round >= WARM_UP).then_some(taken));
        }
        let times = sorted(rounds);
        let micros = times.median().as_secs_f64() * 1e6 / APPENDS as f64;
        let beside = ratio(&times, least.as_ref().unwrap_or(&times));
        println!(
            "an append to a log of {size} events: {micros:.1} µs, {beside:.2} of the first ({loaded:.0?} to store them)"
        );
        least.get_or_insert(times);
    }
}

const APPENDS: usize = 200;

const WARM_UP: usize = 5;

async fn appends(store: &PostgresStore, size: i64, round: usize) {
    for number in 0..APPENDS {
        let stream = StreamId::new("tally", format!("cost-{size}-{round}-{number}"));
        let append = Append::new(stream, Expected::NoStream, events(1));
        store.append(vec![append]).await.expect("appended");
    }
}
