//! The store on PostgreSQL beside the same by hand: `cargo bench -p annals-tests --bench store`.
//!
//! With `-- ten-million`, it tells instead what an append costs at ten thousand, a million and ten million stored events,
//! which SQL stores at once: it takes a few minutes and 5 GB.
//!
//! Both run on one server, on the same tables, in turns. The server is the one at `DATABASE_URL`; without it, a private one
//! that does not wait for the disk, which shows what Annals adds at its worst.

use std::future::Future;
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

mod full;
mod latency;
#[path = "../measure.rs"]
mod measure;
mod projection;
mod raw;

use measure::{Times, sorted};
use raw::{Deposited, GroupCommit};

/// How often each candidate runs.
const ROUNDS: usize = 9;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
struct TallyId(String);

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Deposit {
    #[command(id)]
    tally: TallyId,
    amount: u64,
}

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(id = TallyId, events(Deposited))]
struct Tally {
    amount: u64,
}

/// The same with snapshots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(id = TallyId, events(Deposited), snapshot())]
struct Saved {
    amount: u64,
}

#[handlers]
impl Saved {
    #[apply(upsert)]
    fn deposited(saved: Option<Self>, event: &Deposited) -> Self {
        Self { amount: saved.map_or(0, |saved| saved.amount) + event.amount }
    }
}

#[handlers]
impl Tally {
    #[handle(upsert)]
    fn deposit(_: Option<&Self>, command: Deposit) -> Vec<Deposited> {
        vec![Deposited { amount: command.amount }]
    }

    #[apply(upsert)]
    fn deposited(tally: Option<Self>, event: &Deposited) -> Self {
        Self { amount: tally.map_or(0, |tally| tally.amount) + event.amount }
    }
}

/// What all rows work on.
struct Bench {
    store: PostgresStore,
    cold: CommandBus,
    warm: CommandBus,
    pool: PgPool,
    bounds_missed: usize,
}

#[tokio::main]
async fn main() {
    let database = TestDatabase::create().await.expect("a server");
    let store = PostgresStore::builder()
        .max_connections(20)
        .connect(database.url())
        .await
        .expect("the server is there");
    store.migrate().await.expect("migrated");
    let settings: (String, String, String) = sqlx::query_as(
        "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')",
    )
    .fetch_one(store.pool())
    .await
    .expect("settings");
    let (version, fsync, synchronous_commit) = settings;
    println!("PostgreSQL {version}, fsync {fsync}, synchronous_commit {synchronous_commit}\n");
    let cold = CommandBus::builder(store.clone()).build().expect("a bus");
    let warm = CommandBus::builder(store.clone()).cache(10_000).build().expect("a bus");
    let pool = raw::pool(database.url(), 20).await;
    if std::env::args().any(|argument| argument == "ten-million") {
        full::costs(&store).await;
        return;
    }
    if std::env::args().any(|argument| argument == "projection") {
        let mut bench = Bench { store, cold, warm, pool, bounds_missed: 0 };
        bench.catch_up().await;
        projection::latency(&bench.store).await;
        return projection::memory(&bench.store).await;
    }
    let mut bench = Bench { store, cold, warm, pool, bounds_missed: 0 };
    bench.load_long_stream().await;
    bench.load_snapshot().await;
    bench.one_client(false).await;
    bench.one_client(true).await;
    bench.many_clients(false).await;
    bench.many_clients(true).await;
    bench.hot_stream().await;
    bench.large_append().await;
    bench.catch_up().await;
    bench.full_log().await;
    latency::of_a_wait(&bench.store).await;
    latency::of_a_subscription(&bench.store).await;
    projection::latency(&bench.store).await;
    println!("\n{} bounds are not met", bench.bounds_missed);
    if bench.bounds_missed > 0 {
        std::process::exit(1);
    }
}

impl Bench {
    async fn load_long_stream(&mut self) {
        self.fill("long", 10_000).await;
        let tallies = Repository::<Tally>::new(self.store.clone());
        let (annals, raw) = in_turns(
            async |_| assert_eq!(tallies.load("long").await.unwrap().unwrap().state.amount, 10_000),
            async |_| assert_eq!(raw::load(&self.pool, "tally-long").await.amount, 10_000),
        )
        .await;
        self.cost("load 10,000 events, no snapshot", &annals, &raw, 1, 1.15);
    }

    async fn load_snapshot(&mut self) {
        const LOADS: usize = 200;
        let append =
            Append::new(StreamId::new("saved", "long"), Expected::NoStream, events(10_000));
        self.store.append(vec![append]).await.expect("filled");
        let saved = Repository::<Saved>::new(self.store.clone());
        saved.snapshot("long").await.expect("a snapshot");
        let (annals, raw) = in_turns(
            async |_| {
                for _ in 0..LOADS {
                    saved.load("long").await.unwrap().unwrap();
                }
            },
            async |_| {
                for _ in 0..LOADS {
                    raw::load_snapshot(&self.pool, "saved-long").await;
                }
            },
        )
        .await;
        self.cost("the same with a snapshot", &annals, &raw, LOADS, 1.25);
    }

    /// One command after the other, each to the next of a few streams.
    async fn one_client(&mut self, is_warm: bool) {
        const COMMANDS: usize = 400;
        const STREAMS: usize = 200;
        let bus = if is_warm { &self.warm } else { &self.cold };
        if is_warm {
            for stream in 0..STREAMS {
                bus.dispatch(deposit(format!("one-{stream}"))).await.unwrap();
            }
        }
        let mut versions = vec![0_i64; STREAMS];
        let (annals, raw) = in_turns(
            async |_| {
                for command in 0..COMMANDS {
                    let stream = format!("one-{}", command % STREAMS);
                    bus.dispatch(deposit(stream)).await.unwrap();
                }
            },
            async |_| {
                for command in 0..COMMANDS {
                    let stream = command % STREAMS;
                    let name = format!("tally-raw-{is_warm}-{stream}");
                    if is_warm {
                        raw::append(&self.pool, &name, versions[stream], 1).await;
                        versions[stream] += 1;
                    } else {
                        raw::deposit(&self.pool, &name).await;
                    }
                }
            },
        )
        .await;
        let what =
            if is_warm { "one client, aggregate cached" } else { "one client, load and append" };
        self.rate(what, &annals, &raw, COMMANDS, 0.9);
    }

    /// Clients with a stream each, beside a group commit by hand.
    async fn many_clients(&mut self, is_warm: bool) {
        const CLIENTS: usize = 16;
        const COMMANDS: usize = 100;
        let bus = if is_warm { &self.warm } else { &self.cold };
        let group = GroupCommit::start(&self.pool);
        let mut done = 0_i64;
        let (annals, raw) = in_turns(
            async |round| {
                // A stream for each round: what is loaded stays as short as by hand.
                clients(CLIENTS, async |client| {
                    for _ in 0..COMMANDS {
                        bus.dispatch(deposit(format!("many-{is_warm}-{round}-{client}")))
                            .await
                            .unwrap();
                    }
                })
                .await;
            },
            async |round| {
                clients(CLIENTS, async |client| {
                    let name = format!("tally-raw-many-{is_warm}-{round}-{client}");
                    for version in 0..COMMANDS as i64 {
                        let version = if is_warm {
                            version
                        } else {
                            raw::load(&self.pool, &name).await.version
                        };
                        group.append(&name, version).await;
                    }
                })
                .await;
                done += 1;
            },
        )
        .await;
        let what = if is_warm {
            "16 clients, distinct streams, cached"
        } else {
            "16 clients, distinct streams"
        };
        self.rate(what, &annals, &raw, CLIENTS * COMMANDS, 0.9);
    }

    /// Clients that all write to one stream.
    async fn hot_stream(&mut self) {
        const CLIENTS: usize = 8;
        const COMMANDS: usize = 100;
        let group = GroupCommit::start(&self.pool);
        let version = tokio::sync::Mutex::new(0_i64);
        let bus = &self.warm;
        let (annals, raw) = in_turns(
            async |_| {
                clients(CLIENTS, async |_| {
                    for _ in 0..COMMANDS {
                        bus.dispatch(deposit("hot".to_owned())).await.unwrap();
                    }
                })
                .await;
            },
            async |_| {
                clients(CLIENTS, async |_| {
                    for _ in 0..COMMANDS {
                        let mut next = version.lock().await;
                        let answered = group.enqueue("tally-raw-hot", *next).await;
                        *next += 1;
                        drop(next);
                        answered.await.expect("an answer");
                    }
                })
                .await;
            },
        )
        .await;
        self.rate("8 clients, one hot stream", &annals, &raw, CLIENTS * COMMANDS, 0.8);
    }

    async fn large_append(&mut self) {
        const EVENTS: usize = 1_000;
        let (annals, raw) = in_turns(
            async |round| self.fill(&format!("large-{round}"), EVENTS).await,
            async |round| {
                raw::append(&self.pool, &format!("tally-raw-large-{round}"), 0, EVENTS).await
            },
        )
        .await;
        self.rate("append of 1,000 events", &annals, &raw, EVENTS, 0.9);
    }

    /// A projection that reads the log from its beginning.
    async fn catch_up(&mut self) {
        let (annals, raw) = projection::catch_up(&self.store, &self.pool).await;
        self.rate(
            "projection catch-up, 100,000 events over 1,000 rows",
            &annals,
            &raw,
            projection::events(),
            0.7,
        );
    }

    /// The same append to a log of ten thousand events and to one of a million.
    async fn full_log(&mut self) {
        const APPENDS: usize = 200;
        let store = &self.store;
        let appends = async |round: usize| {
            for number in 0..APPENDS {
                let stream = StreamId::new("tally", format!("cost-{round}-{number}"));
                let append = Append::new(stream, Expected::NoStream, events(1));
                store.append(vec![append]).await.unwrap();
            }
        };
        let mut before = Vec::new();
        for round in 0..ROUNDS {
            before.push(time(appends(round)).await);
        }
        for part in 0..100 {
            self.fill(&format!("bulk-{part}"), 10_000).await;
        }
        let mut after = Vec::new();
        for round in ROUNDS..2 * ROUNDS {
            after.push(time(appends(round)).await);
        }
        let (before, after) = (sorted(before), sorted(after));
        println!("append to a log of a million events, µs, beside one of a few ten thousand");
        self.show(&after, &before, APPENDS, ratio(&after, &before), None);
    }

    async fn fill(&self, tally: &str, count: usize) {
        let append = Append::new(StreamId::new("tally", tally), Expected::NoStream, events(count));
        self.store.append(vec![append]).await.expect("filled");
    }

    /// Shows what a thing costs beside the same by hand.
    fn cost(&mut self, what: &str, annals: &Times, raw: &Times, count: usize, bound: f64) {
        println!("{what}, µs");
        let ratio = ratio(annals, raw);
        self.show(annals, raw, count, ratio, Some((bound, ratio <= bound, "at most")));
    }

    /// Shows how many things are done in a second beside the same by hand.
    fn rate(&mut self, what: &str, annals: &Times, raw: &Times, count: usize, bound: f64) {
        println!("{what}, µs each, rate beside raw");
        let ratio = 1.0 / ratio(annals, raw);
        self.show(annals, raw, count, ratio, Some((bound, ratio >= bound, "at least")));
    }

    fn show(
        &mut self,
        annals: &Times,
        raw: &Times,
        count: usize,
        ratio: f64,
        bound: Option<(f64, bool, &str)>,
    ) {
        let micros = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
        let spread = |times: &Times| {
            let (low, high) = times.quartiles();
            (micros(high) - micros(low)) / 2.0
        };
        println!(
            "    annals {:.1} ±{:.1}   raw {:.1} ±{:.1}",
            micros(annals.median()),
            spread(annals),
            micros(raw.median()),
            spread(raw)
        );
        match bound {
            Some((bound, is_met, word)) => {
                println!("    ratio {ratio:.3} (bound: {word} {bound})");
                if !is_met {
                    self.bounds_missed += 1;
                    println!("    BOUND NOT MET");
                }
            }
            None => println!("    ratio {ratio:.3}"),
        }
    }
}

fn deposit(tally: String) -> Deposit {
    Deposit { tally: tally.into(), amount: 1 }
}

fn events(count: usize) -> Vec<NewEvent> {
    let metadata = std::sync::Arc::new(Metadata::default().with_correlation_id("a benchmark"));
    (0..count)
        .map(|_| {
            NewEvent::new(uuid::Uuid::now_v7(), "Deposited", 1, Payload::new(r#"{"amount":1}"#))
                .with_metadata(metadata.clone())
        })
        .collect()
}

/// Runs some clients at once, on the threads of the runtime.
async fn clients(count: usize, client: impl AsyncFn(usize)) {
    join_all((0..count).map(|number| client(number))).await;
}

/// Runs two candidates in turns, so that a slow moment of the machine meets both alike.
async fn in_turns(
    mut one: impl AsyncFnMut(usize),
    mut other: impl AsyncFnMut(usize),
) -> (Times, Times) {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    one(ROUNDS).await;
    other(ROUNDS).await;
    for round in 0..ROUNDS {
        if round % 2 == 0 {
            ones.push(time(one(round)).await);
            others.push(time(other(round)).await);
        } else {
            others.push(time(other(round)).await);
            ones.push(time(one(round)).await);
        }
    }
    (sorted(ones), sorted(others))
}

async fn time(run: impl Future<Output = ()>) -> Duration {
    let begin = Instant::now();
    run.await;
    begin.elapsed()
}

fn ratio(one: &Times, other: &Times) -> f64 {
    one.median().as_secs_f64() / other.median().as_secs_f64()
}
