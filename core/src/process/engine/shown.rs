//! What a worker shows of itself.

use std::time::{Duration, Instant};

use super::owner::Owned;
use super::worker::Worker;
use crate::metrics;
use crate::position::Position;
use crate::projection::ProjectionState;
use crate::store::StoreError;
use crate::timestamp::Timestamp;

/// How often it is measured how far behind a process is.
const MEASURED: Duration = Duration::from_secs(1);

/// What a worker shows of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    pub(super) state: ProjectionState,
    /// Below and at it, all is done; if it is the owner.
    pub(super) position: Option<Position>,
    /// Up to here, all is done that follows from the log; if nothing is under way.
    pub(super) settled: Option<Position>,
    /// The instant of the last event that was read.
    pub(super) recorded_at: Option<Timestamp>,
    pub(super) waiting: usize,
    pub(super) unsent: usize,
    pub(super) oldest_unsent: Option<Timestamp>,
    pub(super) begun: u64,
    pub(super) done: u64,
    pub(super) skipped: u64,
    pub(super) last_error: Option<String>,
    pub(super) stopped: Option<String>,
}

impl Shown {
    /// It is the owner no more.
    pub(super) fn disowned(&mut self) {
        (self.position, self.settled) = (None, None);
        (self.waiting, self.unsent, self.oldest_unsent) = (0, 0, None);
    }
}

impl Worker {
    pub(super) fn show(&self, change: impl FnOnce(&mut Shown)) {
        self.shown.send_modify(change);
    }

    pub(super) fn show_owned(&self, owned: &Owned) {
        let is_due = owned.deadlines.next().is_some_and(|due| due <= self.now());
        let is_under_way = is_due || self.blocked.is_some();
        self.show(|shown| {
            shown.position = Some(owned.checkpoint());
            shown.settled = if is_under_way { None } else { owned.settled() };
            shown.waiting = owned.inbox.len();
            if owned.busy.is_empty() {
                (shown.unsent, shown.oldest_unsent) = (owned.unsent(), owned.oldest_unsent());
            }
        });
    }

    /// Tells how far behind it is, once a second at most.
    pub(super) async fn measure(&self, owned: &mut Owned) -> Result<(), StoreError> {
        if owned.measured_at.is_some_and(|at| at.elapsed() < MEASURED) {
            return Ok(());
        }
        owned.measured_at = Some(Instant::now());
        let behind = self.events.head().await?.get().saturating_sub(owned.checkpoint().get());
        let (unsent, oldest) = (owned.unsent(), owned.oldest_unsent());
        self.show(|shown| (shown.unsent, shown.oldest_unsent) = (unsent, oldest));
        let now = self.now();
        let age = oldest.map_or(Duration::ZERO, |oldest| now.since(oldest));
        metrics::process_lag(self.name(), behind, age, owned.parked.len());
        Ok(())
    }
}
