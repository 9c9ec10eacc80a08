//! Processes that wait for a person: why, and how they go on.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::owner::Owned;
use super::plan::Planned;
use super::worker::{Ended, Worker};
use crate::metrics;
use crate::position::Position;
use crate::process::{Fault, Instance, Taken};
use crate::projection::{ParkedEvent, chain, read_parked};
use crate::recorded_event::RecordedEvent;
use crate::store::{
    Deadline, OutgoingCommand, ReadStream, StoreError, UnitOfWorkStore, WaitingCommand,
};
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// How many commands or deadlines are read at once.
const PAGE: usize = 1_000;

/// How far ahead deadlines are known, and how much of that is left when the next are read.
const HORIZON: std::time::Duration = std::time::Duration::from_hours(1);
const LEFT: std::time::Duration = std::time::Duration::from_mins(20);

const COMMAND: &str = "annals/command/";
const DEADLINE: &str = "annals/deadline/";

/// What stands for a command where events are parked.
pub(super) fn command_mark(command: &str) -> String {
    format!("{COMMAND}{command}")
}

/// What stands for a deadline where events are parked.
pub(super) fn deadline_mark(deadline: &str) -> String {
    format!("{DEADLINE}{deadline}")
}

/// What a process waits with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParkedCause {
    /// An event whose step failed.
    Event {
        /// Its stored name.
        event_type: String,
        /// Its stream.
        stream_id: StreamId,
        /// Its position.
        position: Position,
    },
    /// A command that was refused, and no `#[rejected]` takes that; or that could not be done.
    Command {
        /// Its name.
        name: String,
    },
    /// A deadline whose step failed.
    Deadline {
        /// Its name.
        name: String,
    },
}

/// A process that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParkedProcess {
    /// The name of the process manager.
    pub process: String,
    /// The id of the process, as text.
    pub id: String,
    /// What failed.
    pub cause: ParkedCause,
    /// Why.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was parked.
    pub parked_at: Timestamp,
    /// How many events wait behind it.
    pub waiting: u64,
}

/// The processes that wait, of what is parked, in the order of the log.
pub(super) fn parked_processes(process: &str, parked: Vec<ParkedEvent>) -> Vec<ParkedProcess> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut found: Vec<ParkedProcess> = Vec::new();
    for event in parked {
        if let Some(&place) = places.get(&event.key) {
            found[place].waiting += 1;
            continue;
        }
        let cause = if let Some(name) = event.event_type.strip_prefix(COMMAND) {
            ParkedCause::Command { name: name.to_owned() }
        } else if let Some(name) = event.event_type.strip_prefix(DEADLINE) {
            ParkedCause::Deadline { name: name.to_owned() }
        } else {
            let ParkedEvent { event_type, stream_id, position, .. } = event;
            ParkedCause::Event { event_type, stream_id, position }
        };
        places.insert(event.key.clone(), found.len());
        found.push(ParkedProcess {
            process: process.to_owned(),
            id: event.key,
            cause,
            error: event.error,
            attempts: event.attempts,
            parked_at: event.parked_at,
            waiting: 0,
        });
    }
    found
}

fn is_mark(event: &ParkedEvent) -> bool {
    event.event_type.starts_with(COMMAND) || event.event_type.starts_with(DEADLINE)
}

impl Worker {
    /// Parks an event: with why its step failed, or behind another.
    pub(super) fn parked_event(
        &self,
        owned: &Owned,
        id: &str,
        event: &RecordedEvent,
        fault: Option<&Fault>,
    ) -> ParkedEvent {
        let parked = ParkedEvent {
            reader: owned.reader.clone(),
            key: id.to_owned(),
            position: event.position,
            stream_id: event.stream_id.clone(),
            event_type: event.event_type.clone().into_owned(),
            error: fault.map_or_else(String::new, |fault| chain(fault)),
            attempts: u32::from(fault.is_some()),
            parked_at: self.now(),
            retry_at: None,
        };
        if fault.is_some() {
            self.tell_parked(&parked);
        }
        parked
    }

    /// What stands for a command or a deadline that failed.
    pub(super) fn mark(
        &self,
        owned: &Owned,
        instance: &Instance,
        mark: String,
        fault: &Fault,
    ) -> ParkedEvent {
        let parked = ParkedEvent {
            reader: owned.reader.clone(),
            key: instance.id().to_owned(),
            position: instance.seen(),
            stream_id: instance.stream_id().clone(),
            event_type: mark,
            error: chain(fault),
            attempts: 1,
            parked_at: self.now(),
            retry_at: None,
        };
        self.tell_parked(&parked);
        parked
    }

    fn tell_parked(&self, parked: &ParkedEvent) {
        metrics::process_parked(self.name());
        let ParkedEvent { key, event_type, position, error, .. } = parked;
        tracing::error!(
            process = self.name(),
            id = key,
            event_type,
            position = position.get(),
            error,
            "a step failed, and its process waits"
        );
        let text = format!("process `{key}`: {event_type} at position {position}: {error}");
        self.show(|shown| shown.last_error = Some(text));
    }

    /// Changes what is known to be parked.
    pub(super) fn repark(
        &self,
        owned: &mut Owned,
        id: &str,
        unparks: &[ParkedEvent],
        parks: &[ParkedEvent],
    ) {
        let parked = owned.parked.entry(id.to_owned()).or_default();
        let gone: HashSet<_> = unparks.iter().map(|event| event.position).collect();
        parked.events.retain(|event| !gone.contains(&event.position));
        for event in parks {
            let place = parked.events.partition_point(|other| other.position < event.position);
            parked.events.insert(place, event.clone());
            if !event.error.is_empty() {
                parked.is_retried = false;
            }
        }
        if parked.events.is_empty() {
            owned.parked.remove(id);
        }
    }

    /// What becomes of a process that waits: what came meanwhile waits, too, and what is tried again is.
    pub(super) async fn of_parked(
        &self,
        owned: &mut Owned,
        id: &str,
    ) -> Result<Option<Planned>, Ended> {
        let behind = self.parks_behind(owned, id);
        let first = match owned.parked.get(id) {
            Some(parked) if parked.is_retried => parked.events.front().cloned(),
            _ => None,
        };
        let mut planned = match first {
            Some(first) => self.retry(owned, id, first).await?,
            None if behind.is_empty() => return Ok(None),
            None => Planned::new(id),
        };
        planned.parks.extend(behind);
        Ok(Some(planned))
    }

    /// Tries again what a process waits with.
    async fn retry(
        &self,
        owned: &mut Owned,
        id: &str,
        first: ParkedEvent,
    ) -> Result<Planned, Ended> {
        let planned = Planned { unparks: vec![first.clone()], ..Planned::new(id) };
        if is_mark(&first) {
            // Its commands are still to go out, its deadline still to fire.
            let stuck = owned.parked.get_mut(id).and_then(|parked| parked.stuck.take());
            if let Some(instance) = stuck {
                return Ok(planned.unchanged(instance));
            }
            owned.idle.pop(id);
            let waiting = self.waiting_commands(self.store()?).await?;
            return Ok(match self.load(id, waiting.get(id)).await?.1 {
                Ok(instance) => planned.unchanged(instance),
                Err(fault) => {
                    let ParkedEvent { attempts, .. } = first;
                    let parks =
                        vec![ParkedEvent { error: chain(&fault), attempts: attempts + 1, ..first }];
                    Planned { parks, ..Planned::new(id) }
                }
            });
        }
        let filter = self.process.filter();
        let events = read_parked(&*self.events, filter, std::slice::from_ref(&first)).await?;
        let Some(event) = events.into_iter().next() else {
            let (process, position) = (self.name(), first.position.get());
            tracing::warn!(process, id, position, "a parked event is not taken any more");
            return Ok(planned);
        };
        let instance = match owned.idle.pop(id) {
            Some(instance) => Ok(instance),
            None => self.load(id, None).await?.1,
        };
        let instance = match instance {
            Ok(instance) => instance,
            Err(fault) => {
                let ParkedEvent { attempts, .. } = first;
                let parks =
                    vec![ParkedEvent { error: chain(&fault), attempts: attempts + 1, ..first }];
                return Ok(Planned { parks, ..Planned::new(id) });
            }
        };
        let codec = self.events.codec();
        Ok(match instance.event(&*self.process, &event, codec, Uuid::now_v7()) {
            Ok(Taken::Made(made)) => {
                let made = planned.made(*made);
                Planned { took: Some(event), ..made }
            }
            Ok(Taken::Skipped) => planned.unchanged(instance),
            Err(fault) => {
                let parked = self.parked_event(owned, id, &event, Some(&fault));
                let ParkedEvent { attempts, parked_at, .. } = first;
                let parked = ParkedEvent { attempts: attempts + 1, parked_at, ..parked };
                Planned { parks: vec![parked], ..planned.unchanged(instance) }
            }
        })
    }

    /// Gives up what a process waits with; tells how much it was.
    pub(super) async fn drop_parked(&self, owned: &mut Owned, id: &str) -> Result<u64, Ended> {
        let Some(parked) = owned.parked.get_mut(id) else { return Ok(0) };
        let events: Vec<ParkedEvent> = parked.events.iter().cloned().collect();
        let last = events.iter().map(|event| event.position).max().unwrap_or_default();
        let stuck = parked.stuck.take();
        let instance = match (stuck, owned.idle.pop(id)) {
            (Some(instance), _) | (None, Some(instance)) => Ok(instance),
            (None, None) => self.load(id, None).await?.1,
        };
        let instance = match instance {
            Ok(instance) => instance,
            Err(fault) => return Err(Ended::Failed(StoreError::invalid(chain(&fault)))),
        };
        let codec = self.events.codec();
        let dropped = instance.dropped(&*self.process, last, self.now(), codec, Uuid::now_v7());
        let count = events.len() as u64;
        let planned = Planned { unparks: events, ..Planned::new(id) };
        let planned = match dropped {
            Ok(Taken::Made(made)) => planned.made(*made),
            Ok(Taken::Skipped) => planned.unchanged(instance),
            Err(fault) => return Err(Ended::Failed(StoreError::other(chain(&fault)))),
        };
        tracing::warn!(process = self.name(), id, count, "what was parked was dropped by hand");
        self.write(owned, vec![planned]).await?;
        Ok(count)
    }

    /// Parks what cannot be written.
    pub(super) async fn park_unwritable(
        &self,
        owned: &mut Owned,
        planned: Planned,
        error: &StoreError,
    ) -> Result<(), Ended> {
        let Planned { id, took, .. } = planned;
        let fault = Fault::Failed(chain(error));
        let Some(event) = took else {
            return Err(Ended::Failed(StoreError::invalid(chain(&fault))));
        };
        let parks = vec![self.parked_event(owned, &id, &event, Some(&fault))];
        let planned = Planned { parks, ..Planned::new(&id) };
        let kept = owned.kept;
        self.commit(owned, std::slice::from_ref(&planned), kept)
            .await
            .map_err(super::worker::ended)?;
        self.apply(owned, planned);
        Ok(())
    }

    /// Reads a process: its last step, and which of that step's commands are still to go out.
    pub(super) async fn load(
        &self,
        id: &str,
        waiting: Option<&Vec<OutgoingCommand>>,
    ) -> Result<(String, Result<Instance, Fault>), StoreError> {
        let stream_id = StreamId::new(&self.category, id);
        let page =
            self.events.stream_page(&ReadStream::new(stream_id).backwards().limit(1)).await?;
        let Some(step) = page.events.first() else {
            return Ok((id.to_owned(), Ok(Instance::new(&*self.process, id))));
        };
        let is_waiting = |key: &str| {
            waiting.is_some_and(|waiting| waiting.iter().any(|command| command.key == key))
        };
        let codec = self.events.codec();
        let instance = Instance::load(&*self.process, id, step, codec, is_waiting);
        Ok((id.to_owned(), instance.map_err(Fault::Unreadable)))
    }

    /// Goes on with a process whose commands were on their way.
    pub(super) fn recovered(&self, owned: &mut Owned, instance: Instance) {
        match owned.parked.get_mut(instance.id()) {
            Some(parked) => parked.stuck = Some(instance),
            None => owned.goes_on(instance),
        }
    }

    /// Has a process wait that cannot be read, with what it would have taken, or the command that it would have sent.
    pub(super) fn park_load(
        &self,
        owned: &mut Owned,
        id: &str,
        waiting: Option<&Vec<OutgoingCommand>>,
        fault: &Fault,
    ) {
        let mut parks = Vec::new();
        let command = waiting.and_then(|waiting| waiting.first());
        if let Some(command) = command.filter(|_| !owned.parked.contains_key(id)) {
            let parked = ParkedEvent {
                reader: owned.reader.clone(),
                key: id.to_owned(),
                position: Position::START,
                stream_id: command.process.clone(),
                event_type: command_mark(&command.command),
                error: chain(fault),
                attempts: 1,
                parked_at: self.now(),
                retry_at: None,
            };
            self.tell_parked(&parked);
            parks.push(parked);
        }
        for event in owned.inbox.take(id) {
            let fault =
                if parks.is_empty() && !owned.parked.contains_key(id) { Some(fault) } else { None };
            parks.push(self.parked_event(owned, id, &event, fault));
        }
        if !parks.is_empty() {
            owned.decided.push(Planned { parks, ..Planned::new(id) });
        }
    }

    /// The commands that wait to go out, by the ids of their processes.
    pub(super) async fn waiting_commands(
        &self,
        store: &dyn UnitOfWorkStore,
    ) -> Result<BTreeMap<String, Vec<OutgoingCommand>>, StoreError> {
        let mut found: BTreeMap<String, Vec<OutgoingCommand>> = BTreeMap::new();
        let mut after = 0;
        loop {
            let page = store.outgoing(&self.category, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.number;
            for WaitingCommand { command, .. } in page {
                found.entry(command.process.id().to_owned()).or_default().push(command);
            }
        }
    }

    /// Reads the deadlines of the time to come, if those known are about to end.
    pub(super) async fn know_deadlines(&self, owned: &mut Owned) -> Result<(), StoreError> {
        let now = self.now();
        if owned.deadlines.until > now + LEFT {
            return Ok(());
        }
        let (store, until) = (self.store()?, now + HORIZON);
        let mut last: Option<Deadline> = None;
        loop {
            let page = store.due_deadlines(&self.category, until, last.as_ref(), PAGE).await?;
            let Some(end) = page.last() else { break };
            last = Some(end.clone());
            for deadline in page {
                owned.deadlines.insert(deadline);
            }
        }
        owned.deadlines.until = until;
        Ok(())
    }
}
