//! How the process managers are, of what their workers show and the store keeps.

use std::time::Duration;

use super::crew::Crew;
use super::handle::Handle;
use super::listed::parked_processes;
use super::shown::Shown;
use super::{
    ParkedProcess, ProcessEngine, ProcessError, ProcessShard, ProcessStatus, ProcessesStatus,
};
use crate::position::Position;
use crate::projection::ProjectionState;
use crate::store::{LeaseHolder, StoreError};
use crate::timestamp::Timestamp;

impl ProcessEngine {
    /// Tells how the process managers are.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn status(&self) -> Result<ProcessesStatus, ProcessError> {
        let head = self.inner.events.head().await?;
        let now = self.inner.settings.now();
        let mut processes = Vec::new();
        for worker in &self.inner.workers {
            processes.push(self.status_of(worker, head, now).await?);
        }
        Ok(ProcessesStatus { processes })
    }

    /// Whether it is shut down.
    pub(crate) fn is_over(&self) -> bool {
        self.inner.stop.is_cancelled()
    }

    async fn status_of(
        &self,
        worker: &Handle,
        head: Position,
        now: Timestamp,
    ) -> Result<ProcessStatus, ProcessError> {
        let (settings, crew) = (&self.inner.settings, worker.crew());
        let shards = self.shards_of(worker, &crew).await?;
        let shown: Vec<Shown> =
            crew.members.iter().map(|member| member.shown.borrow().clone()).collect();
        let position = shards.iter().map(|shard| shard.position).min().unwrap_or_default();
        let events_behind = head.get().saturating_sub(position.get());
        let recorded_at = shown.iter().filter_map(|shown| shown.recorded_at).min();
        let time_behind = match recorded_at {
            Some(recorded_at) if events_behind > 0 => now.since(recorded_at),
            _ => Duration::ZERO,
        };
        let oldest_unsent = shown.iter().filter_map(|shown| shown.oldest_unsent).min();
        let oldest_unsent = oldest_unsent.map_or(Duration::ZERO, |oldest| now.since(oldest));
        let worst = shown.iter().max_by_key(|shown| badness(shown.state));
        let state = worst.map(|worst| worst.state).unwrap_or_default();
        let mut owners: Vec<&str> =
            shards.iter().filter_map(|shard| shard.owner.as_deref()).collect();
        owners.sort_unstable();
        owners.dedup();
        let owner = (!owners.is_empty()).then(|| owners.join(", "));
        let runs_here = shards.iter().any(|shard| shard.runs_here);
        // That of the worst is why it is so.
        let mut errors = worst.into_iter().chain(&shown);
        let last_error = errors.find_map(|shown| shown.last_error.clone());
        Ok(ProcessStatus {
            name: worker.kind.name(),
            state,
            position,
            head,
            events_behind,
            time_behind,
            level: settings.thresholds.level(state, time_behind.max(oldest_unsent)),
            waiting: shown.iter().map(|shown| shown.waiting).sum(),
            unsent: shown.iter().map(|shown| shown.unsent).sum(),
            oldest_unsent,
            parked: self.parked_of(worker).await?.len(),
            begun: shown.iter().map(|shown| shown.begun).sum(),
            done: shown.iter().map(|shown| shown.done).sum(),
            skipped: shown.iter().map(|shown| shown.skipped).sum(),
            owner,
            runs_here,
            shards,
            stopped_at: shown.iter().filter_map(|shown| shown.stopped_at).min(),
            last_error,
        })
    }

    /// Where each shard is, and who runs it.
    async fn shards_of(
        &self,
        worker: &Handle,
        crew: &Crew,
    ) -> Result<Vec<ProcessShard>, StoreError> {
        let (store, engine) = (self.store()?, &self.inner.settings.name);
        let is_elsewhere =
            crew.members.iter().any(|member| member.shown.borrow().position.is_none());
        // Of those that run here, the workers know.
        let (standing, leases) = if is_elsewhere {
            let reader = worker.kind.reader(0);
            (Some(store.standing(&reader).await?), store.leases(&reader.name).await?)
        } else {
            (None, Vec::new())
        };
        let of_member = |member: &super::crew::Member| {
            let (here, index) = (member.shown.borrow().position, member.shard.index());
            let kept = || standing.as_ref()?.reached.get(index as usize).copied().flatten();
            let holder = || LeaseHolder::of(&leases, &worker.kind.reader(index));
            ProcessShard {
                shard: index,
                position: here.or_else(kept).unwrap_or_default(),
                owner: match here {
                    Some(_) => Some(engine.clone()),
                    None => holder().map(|held| held.engine().to_owned()),
                },
                runs_here: here.is_some(),
            }
        };
        Ok(crew.members.iter().map(of_member).collect())
    }

    /// Lists what waits for a person, of all process managers and reactors.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn parked(&self) -> Result<Vec<ParkedProcess>, ProcessError> {
        let mut parked = Vec::new();
        for worker in &self.inner.workers {
            parked.extend(self.parked_of(worker).await?);
        }
        Ok(parked)
    }

    pub(super) async fn parked_of(
        &self,
        worker: &Handle,
    ) -> Result<Vec<ParkedProcess>, ProcessError> {
        let parked = self.store()?.parked(&worker.kind.reader(0), None).await?;
        Ok(parked_processes(worker.kind.name(), parked))
    }
}

/// Which state of a shard is that of all of them: the one that a person has to see first. One that waits is another engine's.
const fn badness(state: ProjectionState) -> u8 {
    match state {
        ProjectionState::Waiting | ProjectionState::Ended => 0,
        ProjectionState::Live => 1,
        ProjectionState::CatchingUp => 2,
        ProjectionState::Retrying => 4,
        ProjectionState::Stopped => 5,
        _ => 3,
    }
}
