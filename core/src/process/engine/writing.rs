//! What was decided is written: many steps together, with what is known of commands and the checkpoint.

use std::time::{Duration, Instant};

use super::known::Unsent;
use super::owner::{Marks, Owned};
use super::plan::Planned;
use super::worker::{Ended, Worker, ended};
use crate::metrics;
use crate::position::Position;
use crate::process::Instance;
use crate::store::{Append, CheckpointChange, KeyEntry, UnitOfWork, WriteError};

/// How often a checkpoint is written that moved past what nobody had to do.
pub(super) const IDLE_CHECKPOINT: Duration = Duration::from_millis(250);

impl Worker {
    /// Writes what was decided, with what is known of commands; else the checkpoint, if it is due.
    pub(super) async fn write_known(&self, owned: &mut Owned) -> Result<(), Ended> {
        if owned.decided.is_empty() && owned.marks.is_empty() {
            return self.keep_checkpoint(owned).await;
        }
        // The checkpoint moves past what was decided only with it.
        let mut plan = std::mem::take(&mut owned.decided);
        loop {
            let position = owned.checkpoint();
            match self.commit(owned, &plan, position).await {
                Ok(()) => break,
                Err(WriteError::KeyUsed { key, entry, .. })
                    if self.was_done(owned, &mut plan, &key, &entry) => {}
                Err(WriteError::Store(error)) if error.is_invalid() && plan.len() > 1 => {
                    let process = self.name();
                    tracing::warn!(process, %error, "steps are written one by one");
                    for planned in plan {
                        // What comes later is not done yet.
                        self.write_alone(owned, planned).await?;
                    }
                    return Ok(());
                }
                Err(WriteError::Store(error)) if error.is_invalid() && !plan.is_empty() => {
                    if let Some(planned) = plan.pop() {
                        self.park_unwritable(owned, planned, &error).await?;
                    }
                    return Ok(());
                }
                Err(error) => return Err(ended(error)),
            }
        }
        for planned in plan {
            self.apply(owned, planned);
        }
        Ok(())
    }

    async fn write_alone(&self, owned: &mut Owned, planned: Planned) -> Result<(), Ended> {
        let mut plan = vec![planned];
        let kept = owned.kept;
        let error = match self.commit(owned, &plan, kept).await {
            Ok(()) => None,
            Err(WriteError::KeyUsed { key, entry, .. })
                if self.was_done(owned, &mut plan, &key, &entry) =>
            {
                // What is left of it is written with what comes next.
                owned.decided.append(&mut plan);
                return Ok(());
            }
            Err(WriteError::Store(error)) if error.is_invalid() => Some(error),
            Err(error) => return Err(ended(error)),
        };
        for planned in plan {
            match &error {
                Some(error) => self.park_unwritable(owned, planned, error).await?,
                None => self.apply(owned, planned),
            }
        }
        Ok(())
    }

    /// Commits steps, with what is known of commands and the checkpoint.
    pub(super) async fn commit(
        &self,
        owned: &mut Owned,
        plan: &[Planned],
        position: Position,
    ) -> Result<(), WriteError> {
        let mut work = UnitOfWork::new();
        for planned in plan {
            work.appends.extend(planned.append.clone());
            work.appends.extend(planned.withdraws.clone());
            work.rows.extend(planned.rows(&owned.reader));
            work.outgoing.extend(planned.outgoing.iter().cloned());
            work.answered.extend(planned.answered.iter().cloned());
            work.deadlines.extend(planned.deadlines.iter().cloned());
        }
        work.answered.extend(owned.marks.answered.iter().cloned());
        // Those of processes that were done before: what a step says of them comes later.
        work.deadlines.splice(0..0, owned.marks.deadlines.iter().cloned());
        let fence = owned.lease.fence().await;
        work.checkpoint = Some(CheckpointChange { fence, position });
        self.store()?.commit(work).await?;
        owned.marks = Marks::default();
        owned.kept = position;
        owned.kept_at = Instant::now();
        Ok(())
    }

    /// What has the command that a process was to send next never be done, unless it was done before.
    pub(super) fn withdrawal(&self, instance: &Instance) -> Option<Append> {
        // Those behind it only go out once it is done.
        let next = instance.outgoing().front()?;
        self.bus.withdrawal(&next.name, &next.content, &next.key)
    }

    /// Takes in that a command was done which was to be withdrawn: whoever had stood still with it was faster, and the refusal
    /// is none. Tells whether it was one of these.
    fn was_done(
        &self,
        owned: &mut Owned,
        plan: &mut Vec<Planned>,
        key: &str,
        entry: &KeyEntry,
    ) -> bool {
        let Some(place) = plan.iter().position(|planned| planned.withdraws(key)) else {
            return false;
        };
        if entry.is_withdrawn() {
            plan[place].withdraws = None;
            return true;
        }
        let Planned { mark, .. } = plan.remove(place);
        if let Some((_, mut instance)) = mark {
            self.accepted(owned, &mut instance);
            owned.goes_on(instance);
        }
        true
    }

    /// Takes in that the next command of a process was accepted.
    pub(super) fn accepted(&self, owned: &mut Owned, instance: &mut Instance) {
        owned.marks.answered.extend(instance.outgoing().front().map(|next| next.key.clone()));
        if let Some(cancelled) = instance.accepted() {
            for change in &cancelled {
                owned.deadlines.change(change);
            }
            owned.marks.deadlines.extend(cancelled);
            self.count_done();
        }
    }

    /// Goes on with a process as it was written.
    pub(super) fn apply(&self, owned: &mut Owned, planned: Planned) {
        let Planned {
            id, deadlines, parks, unparks, after, is_stuck, begins, is_done, fired, ..
        } = planned;
        for change in &deadlines {
            owned.deadlines.change(change);
        }
        if begins {
            metrics::process_begun(self.name());
            self.show(|shown| shown.begun += 1);
        }
        if is_done {
            self.count_done();
        }
        if let Some(name) = fired {
            metrics::process_deadline(self.name(), &name);
        }
        if !unparks.is_empty() || !parks.is_empty() {
            owned.repark(&id, &unparks, parks);
        }
        match after {
            Some(instance) if is_stuck => {
                owned.parked.entry(id.clone()).or_default().unsent = Unsent::of(&instance);
            }
            Some(instance) => owned.goes_on(instance),
            None => {}
        }
        owned.look(&id);
    }

    fn count_done(&self) {
        metrics::process_done(self.name());
        self.show(|shown| shown.done += 1);
    }

    /// Writes a checkpoint that moved past what nobody had to do.
    async fn keep_checkpoint(&self, owned: &mut Owned) -> Result<(), Ended> {
        let position = owned.checkpoint();
        let is_due = self.stop.is_cancelled() || owned.kept_at.elapsed() >= IDLE_CHECKPOINT;
        if position == owned.kept || !is_due {
            return Ok(());
        }
        self.commit(owned, &[], position).await.map_err(ended)
    }
}
