//! Sagas that cannot go on in this program: why, and when they are looked at again.

use std::collections::{HashMap, HashSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::core::Core;
use super::journal::Listed;
use super::status::StuckSaga;
use crate::saga::Owner;
use crate::stream::StreamId;

/// How soon a saga is looked at again that could not go on.
const FIRST_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause between two looks: each may make its call again.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// A saga that could not go on here.
pub(super) struct Stuck {
    why: StuckSaga,
    since: Instant,
    pause: Duration,
    /// Whether it goes on for now, here or elsewhere; it may be stuck again.
    goes_on: bool,
}

impl Stuck {
    fn is_due(&self) -> bool {
        self.since.elapsed() >= self.pause
    }
}

impl Core {
    fn stuck(&self) -> MutexGuard<'_, HashMap<StreamId, Stuck>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps, and says, that a saga cannot go on in this program.
    pub(super) fn hold_up(&self, saga: &str, stream_id: &StreamId, reason: String) {
        let (saga, id) = (saga.to_owned(), stream_id.id().to_owned());
        tracing::error!(saga, id, reason, "a saga cannot go on in this program");
        let why = StuckSaga { saga, id, reason };
        let mut stuck = self.stuck();
        let pause = match stuck.get(stream_id) {
            None => FIRST_PAUSE,
            Some(before) if before.is_due() => (before.pause * 2).min(LONGEST_PAUSE),
            // Somebody wanted to know, and waits no longer for it.
            Some(before) => before.pause,
        };
        let held_up = Stuck { why, since: Instant::now(), pause, goes_on: false };
        stuck.insert(stream_id.clone(), held_up);
    }

    /// Tells of a saga no more that it cannot go on: it does, here or elsewhere, for now.
    pub(super) fn goes_on(&self, stream_id: &StreamId) {
        if let Some(stuck) = self.stuck().get_mut(stream_id) {
            stuck.goes_on = true;
        }
    }

    /// Forgets that a saga could not go on.
    pub(super) fn is_held_up_no_more(&self, stream_id: &StreamId) {
        self.stuck().remove(stream_id);
    }

    /// Whether a saga is not looked at yet that could not go on here. One that went on elsewhere is looked at when its runner is
    /// gone, not when that one has given it up, too.
    pub(super) fn is_put_off(&self, stream_id: &StreamId, owner: Owner) -> bool {
        let stuck = self.stuck();
        let stuck = stuck.get(stream_id).filter(|stuck| !stuck.is_due());
        stuck.is_some_and(|stuck| !stuck.goes_on || owner == Owner::NOBODY)
    }

    /// Why a saga cannot go on here, if that is so.
    pub(super) fn why_stuck(&self, stream_id: &StreamId) -> Option<String> {
        let stuck = self.stuck();
        let stuck = stuck.get(stream_id).filter(|stuck| !stuck.goes_on);
        stuck.map(|stuck| stuck.why.reason.clone())
    }

    /// Those that cannot go on here.
    pub(super) fn all_stuck(&self) -> Vec<StuckSaga> {
        let stuck = self.stuck();
        stuck.values().filter(|stuck| !stuck.goes_on).map(|stuck| stuck.why.clone()).collect()
    }

    pub(super) fn count_stuck(&self, saga: &str) -> usize {
        let stuck = self.stuck();
        stuck.values().filter(|stuck| !stuck.goes_on && stuck.why.saga == saga).count()
    }

    /// Forgets of those that could not go on here which others have ended, or parked.
    pub(super) fn forget_ended(&self, saga: &str, unfinished: &[Listed]) {
        let runs: HashSet<&StreamId> = unfinished
            .iter()
            .filter(|listed| listed.owner.is_some())
            .map(|listed| &listed.stream_id)
            .collect();
        self.stuck().retain(|stream_id, stuck| stuck.why.saga != saga || runs.contains(stream_id));
    }
}
