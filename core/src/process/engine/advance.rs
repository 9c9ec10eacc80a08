//! The owner's work: steps of the processes that have something to take.

use futures::StreamExt;
use futures::future::BoxFuture;
use uuid::Uuid;

use super::kind::Kind;
use super::owner::{Busy, Owned};
use super::plan::Planned;
use super::sender::{Answer, Answered};
use super::worker::{Ended, Worker};
use crate::metrics;
use crate::process::{AnyProcess, Fault, Taken};
use crate::projection::ParkedEvent;
use crate::store::{Deadline, DeadlineChange};

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
        let due = due(owned, |id| plan.iter().any(|done| done.id == id));
        let mut ids = owned.ready.take(STEPS.min(owned.room()));
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
            // One that waits for a person is read once it is tried again. Looked at, one is among those used last: what is read
            // for the others does not push it out.
            if !owned.parked.contains_key(id) && owned.idle.get(id).is_none() {
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
        let next = owned.busy.get(&id).and_then(|busy| busy.instance.outgoing().front());
        if next.is_none_or(|next| next.key != key) {
            return;
        }
        let Some(mut busy) = owned.busy.remove(&id) else { return };
        let mut tried = 1;
        let (why, fault) = match answer {
            Answer::Accepted => {
                self.accepted(owned, &mut busy.instance);
                if busy.instance.is_busy() {
                    owned.busy.insert(id, busy);
                } else {
                    owned.goes_on(busy.instance);
                }
                return;
            }
            Answer::Withdrawn => return self.withdrawn(owned, busy),
            Answer::Refused(why) => (Some(why), None),
            Answer::Failed { reason, tries } => {
                tried = tries;
                let command = &busy.instance.outgoing()[0].name;
                (None, Some(Fault::Failed(format!("command `{command}`: {reason}"))))
            }
        };
        let instance = busy.instance;
        let (codec, now) = (self.events.codec(), self.now());
        let step = match (&why, fault) {
            (Some(why), _) => match &self.kind {
                Kind::Process(process) => {
                    instance.refused(&**process, why, now, codec, Uuid::now_v7())
                }
                Kind::Reactor(_) => {
                    // No `#[rejected]` that could take it.
                    let command = &instance.outgoing()[0].name;
                    Err(Fault::Failed(format!("command `{command}` was refused: {why}")))
                }
            },
            (None, Some(fault)) => Err(fault),
            (None, None) => return,
        };
        let planned = Planned::new(&id);
        let mark = super::listed::command_mark(&instance.outgoing()[0].name);
        owned.decided.push(match step {
            Ok(Taken::Made(made)) => {
                let withdraws = self.withdrawal(&instance);
                Planned { mark: Some((mark, instance)), withdraws, ..planned.made(*made) }
            }
            Ok(Taken::Skipped) => planned.unchanged(instance),
            Err(fault) => {
                let mut mark = self.mark(owned, &instance, mark, &fault);
                mark.attempts = tried;
                Planned { parks: vec![mark], is_stuck: true, ..planned.unchanged(instance) }
            }
        });
    }

    /// Takes in that a command is never to be done any more.
    fn withdrawn(&self, owned: &mut Owned, mut busy: Busy) {
        if matches!(self.kind, Kind::Process(_)) {
            // This program stood still meanwhile, and is about to learn that another is the owner.
            owned.busy.insert(busy.instance.id().to_owned(), busy);
            return;
        }
        // A call that is made again asks for what a person has given up, with all that was to come after it.
        while busy.instance.is_busy() {
            self.accepted(owned, &mut busy.instance);
        }
        owned.goes_on(busy.instance);
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
        // After a crash, the log is read from below what was parked already, or taken before.
        let last = owned.last_parked(id);
        let events = owned.inbox.take(id);
        let new = events.iter().filter(|event| event.position > last);
        new.map(|event| self.parked_event(owned, id, event, None)).collect()
    }
}

/// The deadlines that are to fire now: the process is free, and has taken all that was recorded before.
fn due(owned: &Owned, is_taken: impl Fn(&str) -> bool) -> Vec<(String, Deadline)> {
    let mut found: Vec<(String, Deadline)> = Vec::new();
    // What comes to rest begins nothing by itself.
    let most = if owned.rests() { 0 } else { STEPS.min(owned.room()) };
    for (deadline, ceiling) in owned.deadlines.due() {
        let id = deadline.process.id();
        let has_taken = owned.inbox.has_taken(id, ceiling);
        let is_free = !owned.busy.contains_key(id)
            && !owned.parked.contains_key(id)
            && !is_taken(id)
            && !found.iter().any(|(other, _)| other == id);
        if has_taken && is_free && found.len() < most {
            found.push((id.to_owned(), deadline.clone()));
        }
    }
    found
}
