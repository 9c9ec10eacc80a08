//! Processes that wait for a person: why, and how they go on.

use uuid::Uuid;

use super::kind::Kind;
use super::listed::{is_mark, marked_deadline};
use super::owner::Owned;
use super::plan::Planned;
use super::worker::{Ended, Worker, ended};
use crate::metrics;
use crate::position::Position;
use crate::process::{Fault, Instance, Taken};
use crate::projection::{ParkedEvent, chain, read_parked};
use crate::recorded_event::RecordedEvent;
use crate::store::{Deadline, StoreError, WriteError};
use crate::stream::StreamId;

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

    pub(super) fn tell_parked(&self, parked: &ParkedEvent) {
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

    /// What becomes of a process that waits: what came meanwhile waits, too, and what is tried again is.
    pub(super) async fn of_parked(
        &self,
        owned: &mut Owned,
        id: &str,
    ) -> Result<Option<Planned>, Ended> {
        let behind = self.parks_behind(owned, id);
        let first = match owned.parked.get_mut(id) {
            Some(parked) if parked.is_retried => {
                if parked.first().is_none() {
                    parked.read(self.store()?.parked(&owned.reader, Some(id)).await?);
                }
                parked.first().cloned()
            }
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
            owned.idle.pop(id);
            let waiting = self.waiting_of(id).await?;
            return Ok(match self.load(id, Some(&waiting)).await?.1 {
                Ok(instance) => self.retry_mark(owned, instance, first),
                Err(fault) => {
                    let ParkedEvent { attempts, .. } = first;
                    let parks =
                        vec![ParkedEvent { error: chain(&fault), attempts: attempts + 1, ..first }];
                    Planned { parks, ..Planned::new(id) }
                }
            });
        }
        let filter = self.kind.filter();
        let events = read_parked(&*self.events, filter, std::slice::from_ref(&first)).await?;
        let Some(event) = events.into_iter().next() else {
            let (process, position) = (self.name(), first.position.get());
            tracing::warn!(process, id, position, "a parked event is not taken any more");
            return Ok(planned);
        };
        let process = match self.kind.clone() {
            Kind::Process(process) => process,
            Kind::Reactor(reactor) => {
                self.call(owned, &reactor, id, event);
                return Ok(Planned::new(id));
            }
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
        Ok(match instance.event(&*process, &event, codec, Uuid::now_v7()) {
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

    /// Goes on with a process that waits no longer; a deadline fires before what waits behind it.
    fn retry_mark(&self, owned: &mut Owned, instance: Instance, first: ParkedEvent) -> Planned {
        let due = marked_deadline(&first).and_then(|name| {
            let due = *instance.deadlines().get(name)?;
            Some(Deadline { due, process: instance.stream_id().clone(), name: name.to_owned() })
        });
        let id = instance.id().to_owned();
        let fired = match (due, self.kind.clone()) {
            (Some(due), Kind::Process(process)) if !instance.is_busy() => {
                owned.idle.put(id.clone(), instance.clone());
                self.deadline(owned, &*process, &id, &due)
            }
            _ => None,
        };
        let mut planned = fired.unwrap_or_else(|| Planned::new(&id).unchanged(instance));
        for again in &mut planned.parks {
            (again.attempts, again.parked_at) = (first.attempts + 1, first.parked_at);
        }
        planned.unparks.push(first);
        planned
    }

    /// Gives up what a process waits with; tells how much it was, or why it cannot be.
    pub(super) async fn drop_parked(
        &self,
        owned: &mut Owned,
        id: &str,
    ) -> Result<Result<u64, StoreError>, Ended> {
        if !owned.parked.contains_key(id) {
            return Ok(Ok(0));
        }
        let events = self.store()?.parked(&owned.reader, Some(id)).await?;
        let last = events.iter().map(|event| event.position).max().unwrap_or_default();
        owned.idle.pop(id);
        let waiting = self.waiting_of(id).await?;
        let instance = self.load(id, Some(&waiting)).await?.1;
        let instance = match instance {
            Ok(instance) => instance,
            Err(fault) => return Ok(Err(StoreError::invalid(chain(&fault)))),
        };
        while !owned.decided.is_empty() {
            self.write_known(owned).await?;
        }
        let (mut instance, count) = (instance, events.len() as u64);
        let mut withdraws = self.withdrawal(&instance);
        loop {
            let planned = self.dropped(&instance, &events, last)?;
            let planned = [Planned { withdraws: withdraws.clone(), ..planned }];
            let position = owned.checkpoint();
            match self.commit(owned, &planned, position).await {
                Ok(()) => {
                    tracing::warn!(process = self.name(), id, count, "dropped by hand");
                    for planned in planned {
                        self.apply(owned, planned);
                    }
                    return Ok(Ok(count));
                }
                Err(WriteError::KeyUsed { entry, .. }) if entry.is_withdrawn() => withdraws = None,
                Err(WriteError::KeyUsed { .. }) if instance.is_busy() => {
                    // Whoever had stood still with the command was faster: it is done.
                    self.accepted(owned, &mut instance);
                    withdraws = self.withdrawal(&instance);
                }
                Err(error) => return Err(ended(error)),
            }
        }
    }

    /// What becomes of a process whose parked events and commands are given up.
    fn dropped(
        &self,
        instance: &Instance,
        events: &[ParkedEvent],
        last: Position,
    ) -> Result<Planned, Ended> {
        let planned = Planned { unparks: events.to_vec(), ..Planned::new(instance.id()) };
        let Kind::Process(process) = &self.kind else {
            let answered = instance.outgoing().iter().map(|command| command.key.clone()).collect();
            return Ok(Planned { answered, ..planned });
        };
        let failed = events.first().and_then(marked_deadline);
        let (now, codec, step) = (self.now(), self.events.codec(), Uuid::now_v7());
        match instance.dropped(&**process, last, failed, now, codec, step) {
            Ok(Taken::Made(made)) => Ok(planned.made(*made)),
            Ok(Taken::Skipped) => Ok(planned.unchanged(instance.clone())),
            Err(fault) => Err(Ended::Failed(StoreError::other(chain(&fault)))),
        }
    }

    /// What keeps that a person has had an event passed over: whoever reads it again passes over it, too.
    pub(super) fn skip(&self, position: Position, why: &str) -> ParkedEvent {
        ParkedEvent {
            reader: self.kind.skips(),
            key: String::new(),
            position,
            stream_id: StreamId::new(&self.category, "skipped"),
            event_type: String::new(),
            error: why.to_owned(),
            attempts: 1,
            parked_at: self.now(),
            retry_at: None,
        }
    }

    /// Parks what cannot be written.
    pub(super) async fn park_unwritable(
        &self,
        owned: &mut Owned,
        planned: Planned,
        error: &StoreError,
    ) -> Result<(), Ended> {
        let Planned { id, took, mark, .. } = planned;
        let fault = Fault::Failed(chain(error));
        let planned = Planned::new(&id);
        let planned = match (took, mark) {
            (Some(event), _) => {
                let parks = vec![self.parked_event(owned, &id, &event, Some(&fault))];
                Planned { parks, ..planned }
            }
            (None, Some((mark, before))) => {
                let parks = vec![self.mark(owned, &before, mark, &fault)];
                Planned { parks, is_stuck: before.is_busy(), ..planned.unchanged(before) }
            }
            (None, None) => return Err(Ended::Failed(StoreError::invalid(chain(&fault)))),
        };
        let kept = owned.kept;
        self.commit(owned, std::slice::from_ref(&planned), kept).await.map_err(ended)?;
        self.apply(owned, planned);
        Ok(())
    }
}
