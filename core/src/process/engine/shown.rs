//! What a worker shows of itself.

use std::time::{Duration, Instant};

use super::owner::Owned;
use super::worker::Worker;
use crate::position::Position;
use crate::projection::ProjectionState;
use crate::timestamp::Timestamp;

/// How often the commands are counted that are on their way.
const COUNTED: Duration = Duration::from_secs(1);

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
    /// How many wait for a person.
    pub(super) parked: usize,
    pub(super) begun: u64,
    pub(super) done: u64,
    pub(super) skipped: u64,
    pub(super) last_error: Option<String>,
    pub(super) stopped: Option<String>,
    /// The event at which it has stopped, if one cannot be read.
    pub(super) stopped_at: Option<Position>,
}

impl Shown {
    /// It is the owner no more.
    pub(super) fn disowned(&mut self) {
        (self.position, self.settled) = (None, None);
        (self.waiting, self.unsent, self.oldest_unsent, self.parked) = (0, 0, None, 0);
    }

    /// It has stopped no more.
    pub(super) fn goes_on(&mut self) {
        self.state = ProjectionState::Waiting;
        (self.stopped, self.stopped_at) = (None, None);
    }

    /// Up to where all is done that is its own; of one that has stopped, too.
    pub(super) fn reached(&self) -> Option<Position> {
        let before = |at: Position| Position::from(at.get().saturating_sub(1));
        self.position.or_else(|| self.stopped_at.map(before))
    }
}

impl Worker {
    pub(super) fn show(&self, change: impl FnOnce(&mut Shown)) {
        self.shown.send_modify(change);
    }

    pub(super) fn show_owned(&self, owned: &mut Owned) {
        let is_due = owned.deadlines.next().is_some_and(|due| due <= self.now());
        let is_under_way = is_due || self.blocked.is_some();
        // All of them are looked at for it.
        let is_counted = owned.busy.is_empty()
            || owned.counted_at.is_none_or(|at: Instant| at.elapsed() >= COUNTED);
        if is_counted {
            owned.counted_at = Some(Instant::now());
        }
        self.show(|shown| {
            shown.position = Some(owned.checkpoint());
            shown.settled = if is_under_way { None } else { owned.settled() };
            shown.waiting = owned.inbox.len();
            shown.parked = owned.parked.len();
            if is_counted {
                (shown.unsent, shown.oldest_unsent) = (owned.unsent(), owned.oldest_unsent());
            }
        });
    }
}
