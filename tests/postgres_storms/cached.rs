//! Commands by buses that cache: each bus goes by what it remembers, others write to the same aggregates, and sessions are
//! killed meanwhile.

use std::time::{Duration, Instant};

use annals::prelude::*;
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use fastrand::Rng;
use serde::{Deserialize, Serialize};

use crate::history::storm::Weather;
use crate::sabotage::{calm, kill_backends};
use crate::{builder, migrated};

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
struct CountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Counted {
    by: u64,
    /// What it was before: decided on a state that was not the last, it would not be the sum of those before.
    before: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct CountOn {
    #[command(id)]
    count: CountId,
    by: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(id = CountId, events(Counted), snapshot(every = 20))]
struct Count {
    sum: u64,
}

#[handlers]
impl Count {
    #[handle(upsert)]
    fn count_on(count: Option<&Self>, command: CountOn) -> Counted {
        Counted { by: command.by, before: count.map_or(0, |count| count.sum) }
    }

    #[apply(upsert)]
    fn counted(count: Option<Self>, event: &Counted) -> Self {
        Self { sum: count.map_or(0, |count| count.sum) + event.by }
    }
}

const COUNTS: usize = 4;

/// Buses as several programs have them; the second has room for few, so that it forgets.
async fn buses(url: &str) -> Vec<CommandBus> {
    let mut buses = Vec::new();
    for aggregates in [100, 2, 100] {
        // The sessions of those before may be killed already, and this one's while it is made.
        let store: PostgresStore = loop {
            match builder().connect(url).await {
                Ok(store) => break store,
                Err(error) => assert!(error.is_unavailable(), "{error:?}"),
            }
        };
        let bus = CommandBus::builder(store).register::<Count>().cache(aggregates);
        buses.push(bus.build().expect("the bus is complete"));
    }
    buses
}

/// Sends commands until the storm is over, each under its key until it is answered; gives back what it added to which.
async fn send(bus: CommandBus, sender: usize, mut rng: Rng, until: Instant) -> Vec<(usize, u64)> {
    let mut added = Vec::new();
    while Instant::now() < until {
        let (count, by) = (rng.usize(..COUNTS), rng.u64(1..10));
        let key = format!("{sender}-{}", added.len());
        let command = CountOn { count: CountId(count.to_string()), by };
        loop {
            match bus.dispatch(command.clone()).idempotency_key(&key).await {
                Ok(_) => break,
                // A conflict too many, an outage, an outcome that nobody knows: the key tells.
                Err(DispatchError::Rejected(never)) => panic!("{never:?}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(rng.u64(1..20))).await,
            }
        }
        added.push((count, by));
    }
    added
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_commands_by_buses_that_cache() {
    let database = TestDatabase::create().await.expect("a database");
    let url = database.url().to_owned();
    let end = migrated(&url).await;
    let weather = Weather::of_the_day();
    println!("storm `cached`: ANNALS_STORM_SEED={}, {:?}", weather.seed, weather.length);
    let mut rng = Rng::with_seed(weather.seed);
    let until = Instant::now() + weather.length;
    let killer = tokio::spawn({
        let (url, rng) = (url.clone(), rng.fork());
        async move { kill_backends(&url, rng).await }
    });
    let buses = buses(&url).await;
    let senders: Vec<_> = (0..9)
        .map(|sender| {
            tokio::spawn(send(buses[sender % buses.len()].clone(), sender, rng.fork(), until))
        })
        .collect();
    let mut sums = [0; COUNTS];
    let mut commands = [0; COUNTS];
    for sender in senders {
        for (count, by) in sender.await.expect("a sender does not panic") {
            sums[count] += by;
            commands[count] += 1;
        }
    }
    killer.abort();
    assert!(killer.await.is_err_and(|error| error.is_cancelled()));
    calm(&url).await;
    println!("storm `cached`: {commands:?} commands, {sums:?}");
    let counts = Repository::<Count>::new(end.clone());
    for count in 0..COUNTS {
        assert_all_count(&end, &counts, count, sums[count], commands[count]).await;
    }
}

/// Holds the sum and each event against what was sent.
async fn assert_all_count(
    store: &PostgresStore,
    counts: &Repository<Count>,
    count: usize,
    sum: u64,
    commands: u64,
) {
    use futures::TryStreamExt;

    let stream = StreamId::new("count", count);
    let mut so_far = 0;
    let mut events = 0;
    let mut read = store.read_stream(&stream, ..);
    while let Some(event) = read.try_next().await.expect("the stream is read") {
        let counted: Counted =
            serde_json::from_str(event.data.as_str()).expect("as it was written");
        assert_eq!(counted.before, so_far, "{stream} at version {}", event.stream_version);
        so_far += counted.by;
        events += 1;
    }
    assert_eq!((so_far, events), (sum, commands), "{stream}");
    let loaded = counts.load(&CountId(count.to_string())).await.expect("it is loaded");
    assert_eq!(loaded.map_or(0, |loaded| loaded.state.sum), sum, "{stream}");
}
