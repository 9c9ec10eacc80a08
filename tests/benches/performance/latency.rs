//! How long single things take: a command with 1, 16 and 64 callers, and from its commit to whoever waits for it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::{Append, Expected};
use annals_postgres::PostgresStore;
use hdrhistogram::Histogram;

use super::commands::clients;
use super::domain::{deposit, events};
use super::measure::Figure;
use super::report::Report;
use super::{Bench, raw};

impl Bench {
    pub async fn latencies(&mut self, url: &str) {
        let commands = if self.report.is_quick() { 2_000 } else { 20_000 };
        for callers in [1, 16, 64] {
            for (grouped, batch_calls) in [("", None), (" without group commit", Some(1))] {
                for (cached, cache) in [("", None), (", cached", Some(10_000))] {
                    let store = match batch_calls {
                        None => self.store.clone(),
                        Some(calls) => alone(url, calls).await,
                    };
                    let bus = CommandBus::builder(store);
                    let bus = cache.into_iter().fold(bus, annals::CommandBusBuilder::cache);
                    let bus = bus.build().expect("a bus");
                    let times = of_commands(&bus, callers, commands).await;
                    let callers =
                        if callers == 1 { "1 caller".into() } else { format!("{callers} callers") };
                    tell(
                        &mut self.report,
                        &format!("a command, {callers}{cached}{grouped}"),
                        &times,
                    );
                }
            }
        }
        self.of_a_wait().await;
        self.of_a_subscription().await;
    }

    /// From the commit of an append to a reader of another program.
    async fn of_a_wait(&mut self) {
        let reader = another_program(&self.store).await;
        let mut times = histogram();
        for number in 0..1_000 {
            let head = reader.head().await.unwrap();
            let waiting = tokio::spawn({
                let reader = reader.clone();
                async move {
                    reader.wait_for_events(head).await.unwrap();
                    Instant::now()
                }
            });
            tokio::time::sleep(raw::POLL).await;
            let stream = StreamId::new("tally", format!("latency-{number}"));
            let append = Append::new(stream, Expected::NoStream, events(1));
            self.store.append(vec![append]).await.unwrap();
            let committed = Instant::now();
            record(&mut times, waiting.await.unwrap().saturating_duration_since(committed));
        }
        tell(&mut self.report, "from commit to a reader in another program", &times);
    }

    /// From the commit of an append to a consumer of a subscription in another program, which acknowledges each.
    async fn of_a_subscription(&mut self) {
        let reader = another_program(&self.store).await;
        let subscribe = reader.subscribe().from_head().categories(["delivery"]).durable("delivery");
        let mut subscription = subscribe.await.expect("a subscription");
        let (send, mut told) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(event)) = subscription.next().await {
                let _ = send.send(Instant::now());
                subscription.ack(event.position).await.expect("acknowledged");
            }
        });
        let mut times = histogram();
        for number in 0..1_000 {
            // At rest: the acknowledgement before is done, and the subscription waits again.
            tokio::time::sleep(raw::POLL).await;
            let stream = StreamId::new("delivery", number);
            let append = Append::new(stream, Expected::NoStream, events(1));
            self.store.append(vec![append]).await.unwrap();
            let committed = Instant::now();
            let delivered = told.recv().await.expect("it is delivered");
            record(&mut times, delivered.saturating_duration_since(committed));
        }
        tell(&mut self.report, "from commit to a durable subscription in another program", &times);
    }
}

/// The same database through a store of its own.
async fn another_program(store: &PostgresStore) -> PostgresStore {
    let options = (*store.pool().connect_options()).clone();
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(4).connect_lazy_with(options);
    PostgresStore::from_pool(pool).await.expect("a reader")
}

/// A store that sends each call by itself, as many at once as the others have callers.
async fn alone(url: &str, calls: usize) -> PostgresStore {
    let store = PostgresStore::builder().batch_calls(calls).writers(16).max_connections(80);
    store.connect(url).await.expect("the server is there")
}

/// Commands of some callers, each to a stream of its own after the other.
async fn of_commands(bus: &CommandBus, callers: usize, commands: usize) -> Histogram<u64> {
    let all = Arc::new(Mutex::new(histogram()));
    let run = uuid::Uuid::now_v7().simple().to_string();
    const STREAMS: usize = 50;
    let each = commands / callers;
    for is_counted in [false, true] {
        clients(callers, |caller| {
            let (bus, all, run) = (bus.clone(), all.clone(), run.clone());
            async move {
                let mut times = histogram();
                // What is cached is in the cache before it counts.
                for command in 0..if is_counted { each } else { STREAMS.max(each / 10) } {
                    let stream = format!("latency-{run}-{caller}-{}", command % STREAMS);
                    let begun = Instant::now();
                    bus.dispatch(deposit(stream)).await.unwrap();
                    record(&mut times, begun.elapsed());
                }
                if is_counted {
                    let mut all = all.lock().expect("nobody panics with it");
                    all.add(times).expect("of the same range");
                }
            }
        })
        .await;
    }
    let all = all.lock().expect("nobody panics with it");
    all.clone()
}

/// Times up to a minute in nanoseconds, told apart by three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("a range")
}

pub fn record(times: &mut Histogram<u64>, time: Duration) {
    times.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
}

/// Tells the times that half of all keep, all but one in a hundred, and all but one in a thousand.
pub fn tell(report: &mut Report, what: &str, times: &Histogram<u64>) {
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        let milliseconds = times.value_at_quantile(share) as f64 / 1e6;
        report.tell(&format!("{what}, {name}"), Figure::once(milliseconds), "ms", None);
    }
}
