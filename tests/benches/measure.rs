//! How things are measured: by the median, with the spread.

use std::time::Duration;

/// The times of one candidate, sorted.
pub struct Times(Vec<Duration>);

impl Times {
    pub fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }

    /// The first and the third quartile.
    pub fn quartiles(&self) -> (Duration, Duration) {
        (self.0[self.0.len() / 4], self.0[self.0.len() * 3 / 4])
    }
}

/// Sorts the times of one candidate.
pub fn sorted(mut times: Vec<Duration>) -> Times {
    times.sort_unstable();
    Times(times)
}
