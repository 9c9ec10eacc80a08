//! Waiting until everything is done that follows from the log, whoever does it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::asked::Asked;
use super::crew::{Crew, Member};
use super::handle::Handle;
use super::{LOOK, ParkedProcess, ProcessEngine, ProcessError, under_way};
use crate::position::Position;
use crate::shards::Shard;

impl ProcessEngine {
    /// Waits until everything is done that follows from what the log holds: all steps, all their commands, what follows from
    /// those, to the end of the chain. Deadlines that are not due yet do not count.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Late`] if it takes longer than `patience`; [`ProcessError::Parked`] if a process waits for a person;
    /// [`ProcessError::Stopped`] if a process manager has stopped.
    pub async fn settle(&self, patience: Duration) -> Result<(), ProcessError> {
        let until = Instant::now() + patience;
        loop {
            let head = self.inner.events.head().await?;
            for worker in &self.inner.workers {
                let settled = tokio::time::timeout_at(until.into(), self.settled(worker, head));
                let process = worker.kind.name();
                settled.await.map_err(|_| ProcessError::Late { process, patience })??;
            }
            // What the later ones sent, the earlier ones may have to see.
            let is_still = |worker: &Handle| {
                worker.crew().members.iter().all(|member| {
                    let shown = member.shown.borrow();
                    shown.position.is_none() || shown.settled.is_some_and(|settled| settled >= head)
                })
            };
            if self.inner.events.head().await? == head && self.inner.workers.iter().all(is_still) {
                break;
            }
        }
        for worker in &self.inner.workers {
            let parked = self.parked_of(worker).await?;
            let count = parked.len();
            if let Some(ParkedProcess { id, error, .. }) = parked.into_iter().next() {
                let process = worker.kind.name();
                return Err(ProcessError::Parked { process, count, id, error });
            }
        }
        Ok(())
    }

    /// Waits until a process manager has done all that follows from the log up to a position.
    async fn settled(&self, worker: &Handle, head: Position) -> Result<(), ProcessError> {
        let (mut crew, process) = (worker.crew.clone(), worker.kind.name());
        loop {
            let members = crew.borrow_and_update().clone();
            for member in &members.members {
                // Since it looked last, the clock may have been set. Who is not the owner has no deadlines to look for.
                let _ = member.ask(|answer| Asked::Look { answer }).await;
            }
            tokio::select! {
                settled = self.crew_settled(worker, &members, head) => return settled,
                changed = crew.changed() => changed.map_err(|_| ProcessError::Ended { process })?,
            }
        }
    }

    /// Waits until all of these have, here or elsewhere.
    async fn crew_settled(
        &self,
        worker: &Handle,
        crew: &Crew,
        head: Position,
    ) -> Result<(), ProcessError> {
        let process = worker.kind.name();
        loop {
            let mut elsewhere = Vec::new();
            let mut waits_for = None;
            for member in &crew.members {
                let shown = member.shown.borrow();
                if let Some(reason) = shown.stopped.clone() {
                    return Err(ProcessError::Stopped { process, reason });
                }
                if shown.settled.is_some_and(|settled| settled >= head) {
                    continue;
                }
                match shown.position {
                    Some(_) => waits_for = Some(member.clone()),
                    None => elsewhere.push(member.shard),
                }
            }
            // Another engine may have it: then the store tells.
            let is_settled =
                waits_for.is_none() && self.are_settled_elsewhere(worker, &elsewhere, head).await?;
            if is_settled {
                return Ok(());
            }
            tokio::select! {
                () = changes(waits_for) => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn are_settled_elsewhere(
        &self,
        worker: &Handle,
        shards: &[Shard],
        head: Position,
    ) -> Result<bool, ProcessError> {
        let (Some(any), store) = (shards.first(), self.store()?) else { return Ok(true) };
        let reader = worker.kind.reader(0);
        let standing = store.standing(&reader).await?;
        let has_passed = |shard: &Shard| {
            let reached = standing.reached.get(shard.index() as usize).copied().flatten();
            reached.unwrap_or_default() >= head
        };
        // Where there are other shards by now, these are none.
        if standing.layout.shards != any.of() || !shards.iter().all(has_passed) {
            return Ok(false);
        }
        let now = self.inner.settings.now();
        let parked = store.parked(&reader, None).await?;
        // What waits for a person is not under way.
        let parked: HashSet<String> = parked.into_iter().map(|event| event.key).collect();
        let is_theirs =
            |id: &str| shards.iter().any(|shard| shard.has_key(id)) && !parked.contains(id);
        Ok(under_way::is_nothing(store, &worker.kind.category(), is_theirs, now).await?)
    }
}

/// Waits until a worker shows something else.
async fn changes(member: Option<Member>) {
    if let Some(mut member) = member
        && member.shown.changed().await.is_ok()
    {
        return;
    }
    // For one that has ended, nobody waits.
    std::future::pending::<()>().await;
}
