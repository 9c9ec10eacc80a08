//! Failures of the store in a row: how long a worker waits after each, and when it gives up.

use std::time::{Duration, Instant};

use super::worker::Owned;
use crate::position::Position;
use crate::store::StoreError;
use crate::subscription::retry::Backoff;

/// Failures in a row of a store that does answer, after which a projection stops.
const MOST: u32 = 5;

/// An owner that nothing went wrong for this long has gone on, whether events came or not.
const SOUND: Duration = Duration::from_mins(1);

/// Failures in a row.
pub(crate) struct Failures {
    backoff: Backoff,
    count: u32,
}

/// What is to be done after a failure.
pub(crate) enum Next {
    Again(Duration),
    Stop,
}

impl Default for Failures {
    fn default() -> Self {
        Self { backoff: Backoff::new(), count: 0 }
    }
}

impl Failures {
    /// Takes one more in.
    pub(crate) fn next(&mut self, error: &StoreError) -> Next {
        self.count = if error.is_unavailable() { 0 } else { self.count + 1 };
        if self.count > MOST || error.is_invalid() {
            Next::Stop
        } else {
            Next::Again(self.backoff.next_pause())
        }
    }
}

impl Owned {
    /// Whether anything was done since it began, so that a failure is the first in a row.
    pub(crate) fn has_gone_on(&self, kept: Option<Position>, began: Instant) -> bool {
        self.kept > kept || began.elapsed() > SOUND
    }
}
