//! How things are measured: two candidates in turns, the median of each and of what one is beside the other, with the spread.

use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

use serde::Serialize;

/// A median, with the first and the third quartile.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Figure {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Figure {
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let at = |quarter: usize| values[(values.len() - 1) * quarter / 4];
        Self { median: at(2), low: at(1), high: at(3) }
    }

    /// One that was measured once.
    pub fn once(value: f64) -> Self {
        Self { median: value, low: value, high: value }
    }

    pub fn map(self, each: impl Fn(f64) -> f64) -> Self {
        Self { median: each(self.median), low: each(self.low), high: each(self.high) }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits =
            if self.median.abs() < 10.0 { 2 } else { usize::from(self.median.abs() < 100.0) };
        write!(f, "{:.digits$}", self.median)?;
        if self.low == self.high {
            // It was measured once.
            return Ok(());
        }
        write!(f, " ±{:.digits$}", (self.high - self.low) / 2.0)
    }
}

/// The seconds that two candidates took in each round.
#[derive(Debug, Default)]
pub struct Turns {
    annals: Vec<f64>,
    by_hand: Vec<f64>,
}

impl Turns {
    pub fn add(&mut self, annals: Duration, by_hand: Duration) {
        self.annals.push(annals.as_secs_f64());
        self.by_hand.push(by_hand.as_secs_f64());
    }

    pub fn annals(&self) -> Figure {
        Figure::of(self.annals.clone())
    }

    pub fn by_hand(&self) -> Figure {
        Figure::of(self.by_hand.clone())
    }

    /// What one is beside the other in each round: a slow moment of the machine meets both.
    pub fn beside(&self, each: impl Fn(f64, f64) -> f64) -> Figure {
        let rounds = self.annals.iter().zip(&self.by_hand);
        Figure::of(rounds.map(|(annals, by_hand)| each(*annals, *by_hand)).collect())
    }
}

/// Runs two candidates in turns; who goes first changes, so that neither always finds the caches as the other left them. Each is
/// told its round; what they do first is not counted.
pub async fn in_turns(
    rounds: usize,
    mut annals: impl AsyncFnMut(usize),
    mut by_hand: impl AsyncFnMut(usize),
) -> Turns {
    annals(rounds).await;
    by_hand(rounds).await;
    let mut turns = Turns::default();
    for round in 0..rounds {
        if round % 2 == 0 {
            let first = time(annals(round)).await;
            turns.add(first, time(by_hand(round)).await);
        } else {
            let first = time(by_hand(round)).await;
            turns.add(time(annals(round)).await, first);
        }
    }
    turns
}

/// The same without waiting for anything.
pub fn in_turns_at_once(
    rounds: usize,
    mut annals: impl FnMut(),
    mut by_hand: impl FnMut(),
) -> Turns {
    let turns = in_turns(rounds, async |_| annals(), async |_| by_hand());
    futures::executor::block_on(turns)
}

/// The time of one run.
pub async fn time(run: impl Future<Output = ()>) -> Duration {
    let begin = Instant::now();
    run.await;
    begin.elapsed()
}
