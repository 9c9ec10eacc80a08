//! The owner's work: steps of the processes that have something to take, written together.

use futures::StreamExt;
use futures::future::BoxFuture;
use uuid::Uuid;

use super::kind::Kind;
use super::owner::{Busy, Owned};
use super::plan::Planned;
use super::sender::{Answer, Answered};
use super::worker::{Ended, IDLE_CHECKPOINT, Worker, ended};
use crate::metrics;
use crate::position::Position;
use crate::process::{AnyProcess, Fault, Taken};
use crate::projection::ParkedEvent;
use crate::recorded_event::RecordedEvent;
use crate::store::{CheckpointChange, Deadline, DeadlineChange, UnitOfWork, WriteError};

/// How many steps are written together.
const STEPS: usize = 256;

/// How many processes are read at once.
const LOADS: usize = 8;

impl Worker {
    /// Does one round of steps, and writes them with what is known of commands.
    pub(super) async fn advance(&mut self, owned: &mut Owned) -> Result<(), Ended> {
        self.know_deadlines(owned).await?;
        let mut plan = std::mem::take(&mut owned.decided);
        // A process takes one thing at a time, and what was due before an event goes before it.
        let due = self.due(owned, |id| plan.iter().any(|done| done.id == id));
        let mut ids = owned.ready.take(STEPS);
        ids.retain(|id| {
            !owned.busy.contains_key(id)
                && plan.iter().all(|done| done.id != *id)
                && due.iter().all(|(other, _)| other != id)
        });
        self.load_all(owned, &ids, &due).await?;
        // What could not be read waits now: the checkpoint moves past that only with this.
        plan.append(&mut owned.decided);
        for id in &ids {
            if owned.parked.contains_key(id) {
                plan.extend(self.of_parked(owned, id).await?);
            } else {
                match self.kind.clone() {
                    Kind::Process(process) => plan.extend(self.next_step(owned, &*process, id)),
                    Kind::Reactor(reactor) => {
                        if let Some(event) = owned.inbox.next(id).cloned() {
                            self.call(owned, &reactor, id, event);
                        }
                    }
                }
            }
        }
        if let Kind::Process(process) = self.kind.clone() {
            for (id, deadline) in due {
                let fired = self.deadline(owned, &*process, &id, &deadline);
                if fired.is_none() {
                    owned.look(&id);
                }
                plan.extend(fired);
            }
        }
        owned.decided = plan;
        self.write_known(owned).await
    }

    /// Writes what was decided, with what is known of commands; else the checkpoint, if it is due.
    pub(super) async fn write_known(&self, owned: &mut Owned) -> Result<(), Ended> {
        if owned.decided.is_empty() && owned.marks.is_empty() {
            return self.keep_checkpoint(owned).await;
        }
        self.write(owned, Vec::new()).await
    }

    /// The deadlines that are to fire now: the process is free, and has taken all that was recorded before.
    fn due(&self, owned: &Owned, is_taken: impl Fn(&str) -> bool) -> Vec<(String, Deadline)> {
        let mut found: Vec<(String, Deadline)> = Vec::new();
        for (deadline, ceiling) in owned.deadlines.due() {
            let id = deadline.process.id();
            let is_read = self.blocked.is_none() || owned.inbox.read() >= ceiling;
            let has_taken = owned.inbox.read() >= ceiling
                && owned.inbox.next(id).is_none_or(|event| event.position > ceiling);
            let is_free = !owned.busy.contains_key(id)
                && !owned.parked.contains_key(id)
                && !is_taken(id)
                && !found.iter().any(|(other, _)| other == id);
            if is_read && has_taken && is_free && found.len() < STEPS {
                found.push((id.to_owned(), deadline.clone()));
            }
        }
        found
    }

    /// Has processes in memory that are not.
    async fn load_all(
        &self,
        owned: &mut Owned,
        ids: &[String],
        due: &[(String, Deadline)],
    ) -> Result<(), Ended> {
        let mut missing = Vec::new();
        if matches!(self.kind, Kind::Reactor(_)) {
            return Ok(());
        }
        for id in ids.iter().chain(due.iter().map(|(id, _)| id)) {
            let is_stuck = owned.parked.get(id).is_some_and(|parked| parked.stuck.is_some());
            if !is_stuck && !owned.idle.contains(id) {
                missing.push(id.clone());
            }
        }
        let loads: Vec<BoxFuture<'_, _>> =
            missing.iter().map(|id| Box::pin(self.load(id, None)) as BoxFuture<'_, _>).collect();
        let mut loaded = futures::stream::iter(loads).buffered(LOADS);
        while let Some(instance) = loaded.next().await {
            match instance? {
                (id, Ok(instance)) => drop(owned.idle.put(id, instance)),
                (id, Err(fault)) => {
                    let mut due = due.iter().filter(|(due, _)| *due == id);
                    let mark = due.next().map(|(_, due)| super::listed::deadline_mark(&due.name));
                    self.park_load(owned, &id, mark, &fault);
                }
            }
        }
        Ok(())
    }

    /// The next step of a process; what it passes over, it passes over at once.
    fn next_step(&self, owned: &mut Owned, process: &dyn AnyProcess, id: &str) -> Option<Planned> {
        let instance = owned.idle.pop(id)?;
        while let Some(event) = owned.inbox.next(id).cloned() {
            let step = instance.event(process, &event, self.events.codec(), Uuid::now_v7());
            match step {
                Ok(Taken::Made(made)) => {
                    owned.inbox.done(id);
                    let planned = Planned::new(id).made(*made);
                    return Some(Planned { took: Some(event), ..planned });
                }
                Ok(Taken::Skipped) => {
                    owned.inbox.done(id);
                    if !instance.has_seen(event.position) {
                        metrics::process_skipped(self.name());
                        self.show(|shown| shown.skipped += 1);
                    }
                }
                Err(fault) => {
                    let planned = self.parks(owned, id, &fault);
                    owned.idle.put(id.to_owned(), instance);
                    return Some(planned);
                }
            }
        }
        owned.idle.put(id.to_owned(), instance);
        None
    }

    /// Fires a deadline.
    pub(super) fn deadline(
        &self,
        owned: &mut Owned,
        process: &dyn AnyProcess,
        id: &str,
        deadline: &Deadline,
    ) -> Option<Planned> {
        let instance = owned.idle.pop(id)?;
        let before = instance.clone();
        let planned = Planned::new(id);
        // It was moved, and what is known of it here is old.
        if let Some(&due) = instance.deadlines().get(&deadline.name)
            && due != deadline.due
        {
            owned.deadlines.change(&DeadlineChange::Set(Deadline { due, ..deadline.clone() }));
            owned.idle.put(id.to_owned(), instance);
            return None;
        }
        let (codec, name) = (self.events.codec(), &*deadline.name);
        match instance.deadline(process, name, codec, Uuid::now_v7()) {
            Ok(Taken::Made(made)) => {
                let made = planned.made(*made);
                let mark = (super::listed::deadline_mark(name), before);
                Some(Planned { fired: Some(name.to_owned()), mark: Some(mark), ..made })
            }
            Ok(Taken::Skipped) => {
                let (process, name) = (deadline.process.clone(), deadline.name.clone());
                let cancel = DeadlineChange::Cancel { process, name };
                let planned = planned.unchanged(instance);
                Some(Planned { deadlines: vec![cancel], ..planned })
            }
            Err(fault) => {
                let mark = self.mark(owned, &instance, super::listed::deadline_mark(name), &fault);
                Some(Planned { parks: vec![mark], ..planned.unchanged(instance) })
            }
        }
    }

    /// Takes in what a command was answered.
    pub(super) fn answered(&mut self, owned: &mut Owned, answered: Answered) {
        let Answered { id, key, answer } = answered;
        let Some(busy) = owned.busy.get_mut(&id) else { return };
        if busy.instance.outgoing().front().is_none_or(|next| next.key != key) {
            return;
        }
        let mut tried = 1;
        let (why, fault) = match answer {
            Answer::Accepted => {
                owned.marks.answered.push(key);
                if let Some(cancelled) = busy.instance.accepted() {
                    for change in &cancelled {
                        owned.deadlines.change(change);
                    }
                    owned.marks.deadlines.extend(cancelled);
                    self.count_done();
                }
                if !busy.instance.is_busy()
                    && let Some(Busy { instance, .. }) = owned.busy.remove(&id)
                {
                    owned.idle.put(id.clone(), instance);
                    owned.look(&id);
                }
                return;
            }
            Answer::Refused(why) => (Some(why), None),
            Answer::Failed { reason, tries } => {
                tried = tries;
                let command = &busy.instance.outgoing()[0].name;
                (None, Some(Fault::Failed(format!("command `{command}`: {reason}"))))
            }
        };
        let Some(Busy { instance, .. }) = owned.busy.remove(&id) else { return };
        let (codec, now) = (self.events.codec(), self.now());
        let step = match (&why, fault) {
            (Some(why), _) => match &self.kind {
                Kind::Process(process) => {
                    instance.refused(&**process, why, now, codec, Uuid::now_v7())
                }
                Kind::Reactor(_) => {
                    let command = instance.outgoing()[0].name.clone();
                    Err(Fault::Refused { command, why: why.to_string() })
                }
            },
            (None, Some(fault)) => Err(fault),
            (None, None) => return,
        };
        let planned = Planned::new(&id);
        let mark = super::listed::command_mark(&instance.outgoing()[0].name);
        owned.decided.push(match step {
            Ok(Taken::Made(made)) => {
                Planned { mark: Some((mark, instance)), ..planned.made(*made) }
            }
            Ok(Taken::Skipped) => planned.unchanged(instance),
            Err(fault) => {
                let mut mark = self.mark(owned, &instance, mark, &fault);
                mark.attempts = tried;
                Planned { parks: vec![mark], is_stuck: true, ..planned.unchanged(instance) }
            }
        });
    }

    /// Writes what was decided; what cannot be written together, one by one.
    pub(super) async fn write(
        &self,
        owned: &mut Owned,
        mut plan: Vec<Planned>,
    ) -> Result<(), Ended> {
        // The checkpoint moves past what was decided only with it.
        plan.append(&mut owned.decided);
        let position = owned.checkpoint();
        match self.commit(owned, &plan, position).await {
            Ok(()) => {
                for planned in plan {
                    self.apply(owned, planned);
                }
                Ok(())
            }
            Err(WriteError::Store(error)) if error.is_invalid() && plan.len() > 1 => {
                let process = self.name();
                tracing::warn!(process, %error, "steps are written one by one");
                for planned in plan {
                    // What comes later is not done yet.
                    Box::pin(self.write_alone(owned, planned)).await?;
                }
                Ok(())
            }
            Err(WriteError::Store(error)) if error.is_invalid() && !plan.is_empty() => {
                match plan.pop() {
                    Some(planned) => self.park_unwritable(owned, planned, &error).await,
                    None => Ok(()),
                }
            }
            Err(error) => Err(ended(error)),
        }
    }

    async fn write_alone(&self, owned: &mut Owned, planned: Planned) -> Result<(), Ended> {
        let plan = vec![planned];
        match self.commit(owned, &plan, owned.kept).await {
            Ok(()) => {
                for planned in plan {
                    self.apply(owned, planned);
                }
                Ok(())
            }
            Err(WriteError::Store(error)) if error.is_invalid() => {
                for planned in plan {
                    self.park_unwritable(owned, planned, &error).await?;
                }
                Ok(())
            }
            Err(error) => Err(ended(error)),
        }
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
        owned.marks = super::owner::Marks::default();
        owned.kept = position;
        owned.kept_at = std::time::Instant::now();
        Ok(())
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
                owned.parked.entry(id.clone()).or_default().stuck = Some(instance);
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

    /// Parks an event, with all that waits behind it.
    fn parks(&self, owned: &mut Owned, id: &str, fault: &Fault) -> Planned {
        let mut parks = Vec::new();
        for event in owned.inbox.take(id) {
            let error = if parks.is_empty() { Some(fault) } else { None };
            parks.push(self.parked_event(owned, id, &event, error));
        }
        Planned { parks, ..Planned::new(id) }
    }

    /// Parks what came for a process that waits for a person.
    pub(super) fn parks_behind(&self, owned: &mut Owned, id: &str) -> Vec<ParkedEvent> {
        let known = |owned: &Owned, event: &RecordedEvent| {
            let parked = owned.parked.get(id);
            parked.is_some_and(|parked| {
                parked.events.iter().any(|known| known.position == event.position)
            })
        };
        let events = owned.inbox.take(id);
        let new = events.into_iter().filter(|event| !known(owned, event)).collect::<Vec<_>>();
        new.iter().map(|event| self.parked_event(owned, id, event, None)).collect()
    }
}
