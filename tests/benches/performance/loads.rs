//! Loads of a long stream, with a snapshot and without.

use annals::prelude::*;
use annals::{Append, Expected};

use super::domain::{Saved, Tally, events};
use super::measure::in_turns;
use super::report::{Bound, Unit};
use super::{Bench, raw};

const EVENTS: usize = 10_000;

impl Bench {
    pub async fn loads(&mut self) {
        self.load_long_stream().await;
        self.load_snapshot().await;
    }

    async fn load_long_stream(&mut self) {
        const LOADS: usize = 5;
        self.fill("long", EVENTS).await;
        let tallies = Repository::<Tally>::new(self.store.clone());
        let mut connection = self.pool.acquire().await.expect("a connection");
        let turns = in_turns(
            self.rounds,
            async |_| {
                for _ in 0..LOADS {
                    let tally = tallies.load("long").await.unwrap().unwrap();
                    assert_eq!(tally.state.amount, EVENTS as u64);
                }
            },
            async |_| {
                for _ in 0..LOADS {
                    assert_eq!(
                        raw::load(&mut connection, "tally-long").await.amount,
                        EVENTS as u64
                    );
                }
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
        const LOADS: usize = 200;
        let append =
            Append::new(StreamId::new("saved", "long"), Expected::NoStream, events(EVENTS));
        self.store.append(vec![append]).await.expect("filled");
        let saved = Repository::<Saved>::new(self.store.clone());
        saved.snapshot("long").await.expect("a snapshot");
        let mut connection = self.pool.acquire().await.expect("a connection");
        let turns = in_turns(
            self.rounds,
            async |_| {
                for _ in 0..LOADS {
                    let saved = saved.load("long").await.unwrap().unwrap();
                    assert_eq!(saved.state.amount, EVENTS as u64);
                }
            },
            async |_| {
                for _ in 0..LOADS {
                    assert_eq!(
                        raw::load_snapshot(&mut connection, "saved-long").await,
                        EVENTS as u64
                    );
                }
            },
        )
        .await;
        let bound = Some(Bound::CostAtMost(1.25));
        self.report.compare("the same with a snapshot", &turns, LOADS, Unit::Microseconds, bound);
        let milliseconds = turns.annals().map(|seconds| seconds / LOADS as f64 * 1e3);
        let work = "load of an aggregate of 10,000 events with a snapshot";
        self.report.tell(work, milliseconds, Unit::Milliseconds.name(), Some(50.0));
    }

    pub async fn fill(&self, tally: &str, count: usize) {
        let append = Append::new(StreamId::new("tally", tally), Expected::NoStream, events(count));
        self.store.append(vec![append]).await.expect("filled");
    }
}
