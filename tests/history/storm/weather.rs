//! What a storm is like: its seed, its length, and how writers behave in it.

use std::env;
use std::str::FromStr;
use std::time::Duration;

/// What a storm is like.
#[derive(Debug, Clone)]
pub struct Weather {
    pub seed: u64,
    pub length: Duration,
    /// Of a hundred calls, so many are dropped before their answer is there.
    pub dropped: u8,
}

impl Weather {
    /// The seed is `ANNALS_STORM_SEED`, or any; the length `ANNALS_STORM_SECONDS`, or one.
    pub fn of_the_day() -> Self {
        let seed = from_env("ANNALS_STORM_SEED").unwrap_or_else(|| fastrand::u64(..));
        let seconds = from_env("ANNALS_STORM_SECONDS").unwrap_or(1.0);
        Self { seed, length: Duration::from_secs_f64(seconds), dropped: 0 }
    }

    /// Has writers drop so many of a hundred calls.
    pub fn with_dropped(self, dropped: u8) -> Self {
        Self { dropped, ..self }
    }
}

fn from_env<T: FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    match value.parse() {
        Ok(value) => Some(value),
        Err(_) => panic!("{name} is no number: {value}"),
    }
}
