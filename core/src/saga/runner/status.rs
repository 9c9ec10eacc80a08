//! How the sagas of a runner are.

use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::Duration;

use super::super::{NotUndone, Owner, SagaRecord};
use super::core::Core;
use super::journal::Listed;
use super::seat::seat_id;
use super::{SagaError, SagaRunner};
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// How the sagas of a runner are.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SagasStatus {
    /// How many this runner runs.
    pub running: usize,
    /// Those that cannot go on in this program, as with a log of a later release. They are looked at again from time to time, and
    /// each look may make its call again.
    pub stuck: Vec<StuckSaga>,
    /// Why it could not look at all that others left, or do what was asked of it, when it tried last; it tries again.
    pub failing: Option<String>,
}

/// A saga that cannot go on in this program.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StuckSaga {
    /// The name of the saga.
    pub saga: String,
    /// The id under which it was begun.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// A saga that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParkedSaga {
    /// The name of the saga.
    pub saga: String,
    /// The id under which it was begun.
    pub id: String,
    /// The step that failed; empty if the log cannot be read.
    pub failed_step: String,
    /// Why; or why the log cannot be read.
    pub error: String,
    /// The steps that are not undone, as far as the log can be read, in the order in which their undo was tried, each with why.
    pub not_undone: Vec<NotUndone>,
    /// Since when it waits.
    pub parked_at: Timestamp,
}

/// How the sagas of one name are, as the store has them.
#[derive(Debug)]
pub(crate) struct SagasSeen {
    pub(crate) saga: &'static str,
    /// How many wait for a person.
    pub(crate) parked: usize,
    /// How many nobody runs.
    pub(crate) left: usize,
    /// For how long the first of all these has waited.
    pub(crate) waited: Duration,
    /// Why one cannot go on in this program, or none is taken up, if that is so.
    pub(crate) stuck: Option<String>,
    /// Whether the runner is shut down.
    pub(crate) is_over: bool,
}

impl SagaRunner {
    /// Whether it is shut down.
    pub(crate) fn is_over(&self) -> bool {
        self.core().stop.is_cancelled()
    }

    /// Looks how the sagas are that it runs, whoever runs each.
    pub(crate) async fn seen(&self) -> Result<Vec<SagasSeen>, SagaError> {
        let (core, mut seen) = (self.core(), Vec::new());
        for known in core.known() {
            let unfinished = core.journal.unfinished(known.name).await?;
            let left = core.left(known.name, &unfinished).await?;
            let parked = unfinished.iter().filter(|listed| listed.owner.is_none());
            let parked: Vec<Timestamp> = parked.map(|parked| parked.since).collect();
            let first = left.iter().chain(&parked).min();
            seen.push(SagasSeen {
                saga: known.name,
                parked: parked.len(),
                left: left.len(),
                waited: first.map(|first| core.now().since(*first)).unwrap_or_default(),
                stuck: core.held_up(known.name),
                is_over: core.stop.is_cancelled(),
            });
        }
        Ok(seen)
    }
}

impl Core {
    /// Since when each is left of those that nobody runs, as far as that was seen.
    async fn left(
        &self,
        saga: &'static str,
        unfinished: &[Listed],
    ) -> Result<Vec<Timestamp>, SagaError> {
        let leases = self.journal.store()?.leases(&seat_id(saga, 0).name).await?;
        let is_held = |owner: Owner| {
            let seat = seat_id(saga, owner.seat);
            leases.iter().any(|lease| {
                lease.id == seat && lease.epoch == owner.epoch && !lease.left.is_zero()
            })
        };
        let left: HashSet<&StreamId> = unfinished
            .iter()
            .filter(|listed| listed.owner.is_some_and(|owner| !is_held(owner)))
            .map(|listed| &listed.stream_id)
            .collect();
        let mut seen = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let is_of_it = |id: &StreamId| SagaRecord::saga_of(id) == Some(saga);
        seen.retain(|id, _| !is_of_it(id) || left.contains(id));
        let since = |id: &&StreamId| *seen.entry((*id).clone()).or_insert_with(|| self.now());
        Ok(left.iter().map(since).collect())
    }

    /// Why a saga of a name cannot go on here, or none is taken up.
    fn held_up(&self, saga: &str) -> Option<String> {
        let stuck = self.all_stuck().into_iter().find(|stuck| stuck.saga == saga);
        let stuck = stuck.map(|stuck| format!("saga `{}`: {}", stuck.id, stuck.reason));
        stuck.or_else(|| self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
