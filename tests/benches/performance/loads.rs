//! Loads of a long stream, with a snapshot and without.

use annals::prelude::*;
use annals::{Append, Expected};

use super::commands::client;
use super::domain::{Saved, Tally, events};
use super::measure::in_turns;
use super::report::{Bound, Unit};
use super::{Bench, raw};

const EVENTS: usize = 10_000;
const FEW: usize = 10;

/// How many snapshots are loaded each time.
const SNAPSHOTS: usize = 200;

impl Bench {
    pub async fn loads(&mut self) {
        self.load_long_stream().await;
        self.load_snapshot().await;
    }

    async fn load_long_stream(&mut self) {
        const LOADS: usize = 5;
        self.fill("long", EVENTS).await;
        let turns = in_turns(
            self.rounds,
            async |_| {
                let tallies = Repository::<Tally>::new(self.store.clone());
                client(async move {
                    for _ in 0..LOADS {
                        let tally = tallies.load("long").await.unwrap().unwrap();
                        assert_eq!(tally.state.amount, EVENTS as u64);
                    }
                })
                .await;
            },
            async |_| {
                let mut connection = self.pool.acquire().await.expect("a connection");
                client(async move {
                    for _ in 0..LOADS {
                        let balance = raw::load(&mut connection, "tally-long").await;
                        assert_eq!(balance.amount, EVENTS as u64);
                    }
                })
                .await;
            },
        )
        .await;
        let bound = Some(Bound::CostAtMost(1.15));
        self.report.compare(
            "load 10,000 events, no snapshot",
            &turns,
            LOADS,
            Unit::Milliseconds,
            bound,
        );
    }

    async fn load_snapshot(&mut self) {
        self.save("long", EVENTS).await;
        self.save("short", FEW).await;
        let turns = in_turns(
            self.rounds,
            async |_| self.load_saved("long", EVENTS).await,
            async |_| {
                let mut connection = self.pool.acquire().await.expect("a connection");
                client(async move {
                    for _ in 0..SNAPSHOTS {
                        let amount = raw::load_snapshot(&mut connection, "saved-long").await;
                        assert_eq!(amount, EVENTS as u64);
                    }
                })
                .await;
            },
        )
        .await;
        let bound = Some(Bound::CostAtMost(1.25));
        let work = "load 10,000 events, with a snapshot";
        self.report.compare(work, &turns, SNAPSHOTS, Unit::Microseconds, bound);
        let milliseconds = turns.annals().map(|seconds| seconds / SNAPSHOTS as f64 * 1e3);
        let work = "load of an aggregate of 10,000 events with a snapshot";
        self.report.tell(work, milliseconds, Unit::Milliseconds.name(), Some(50.0));

        let turns = in_turns(
            self.rounds,
            async |_| self.load_saved("long", EVENTS).await,
            async |_| self.load_saved("short", FEW).await,
        )
        .await;
        let work = "snapshot of 10,000 events, beside one of 10";
        let bound = Some(Bound::CostAtMost(1.1));
        self.report.compare(work, &turns, SNAPSHOTS, Unit::Microseconds, bound);
    }

    /// Stores a stream with its snapshot.
    async fn save(&self, name: &str, count: usize) {
        let append = Append::new(StreamId::new("saved", name), Expected::NoStream, events(count));
        self.store.append(vec![append]).await.expect("filled");
        let saved = Repository::<Saved>::new(self.store.clone());
        saved.snapshot(name).await.expect("a snapshot");
    }

    /// Loads it some times.
    async fn load_saved(&self, name: &'static str, count: usize) {
        let saved = Repository::<Saved>::new(self.store.clone());
        client(async move {
            for _ in 0..SNAPSHOTS {
                let saved = saved.load(name).await.unwrap().unwrap();
                assert_eq!(saved.state.amount, count as u64);
            }
        })
        .await;
    }

    pub async fn fill(&self, tally: &str, count: usize) {
        let append = Append::new(StreamId::new("tally", tally), Expected::NoStream, events(count));
        self.store.append(vec![append]).await.expect("filled");
    }
}
