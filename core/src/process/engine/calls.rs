//! The calls of a reactor: each in a task of its own, those for one key one after the other.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio_util::task::AbortOnDropHandle;

use super::owner::{Busy, Owned};
use super::plan::Planned;
use super::sender::{Called, Told};
use super::worker::Worker;
use crate::metadata::{Cause, Metadata};
use crate::process::{Fault, Instance, Outgoing};
use crate::projection::{ParkedEvent, message_of};
use crate::reactor::{AnyReactor, ReactorCommand};
use crate::recorded_event::RecordedEvent;

impl Worker {
    /// Calls a reactor for one key, again after each failure for as long as the policy says.
    pub(super) fn call(
        &self,
        owned: &mut Owned,
        reactor: &Arc<dyn AnyReactor>,
        id: &str,
        event: RecordedEvent,
    ) {
        let (reactor, events) = (reactor.clone(), self.events.clone());
        let (sender, retry) = (owned.sender.clone(), self.settings.retry);
        let stop = sender.stop.clone();
        let (key, called) = (id.to_owned(), event.clone());
        let calling = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut tries = 0;
            let result = loop {
                let turn = tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    turn = sender.turns.acquire() => turn,
                };
                let Ok(turn) = turn else { return };
                sender.owns().await;
                let call = AssertUnwindSafe(reactor.call(&key, &called, events.codec()));
                let result = tokio::time::timeout(sender.time_limit, call.catch_unwind()).await;
                drop(turn);
                tries += 1;
                let fault = match result {
                    Ok(Ok(Ok(commands))) => break Ok(commands),
                    Ok(Ok(Err(fault))) => fault,
                    Ok(Err(panic)) => Fault::Failed(format!("panicked: {}", message_of(&*panic))),
                    Err(_) => Fault::Failed(format!("it took longer than {:?}", sender.time_limit)),
                };
                let Some(pause) = retry.pause_before(tries) else { break Err(fault) };
                let (reactor, error) = (reactor.name(), fault.to_string());
                tracing::warn!(reactor, key, error, ?pause, "a call is made again");
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            };
            let _ = sender.answers.send(Told::Called(Called { id: key, result, tries }));
        }));
        let instance = Instance::without_steps(&self.category, id);
        owned.busy.insert(id.to_owned(), Busy { instance, sending: calling, called: Some(event) });
    }

    /// Takes in what came of a call.
    pub(super) fn called(&mut self, owned: &mut Owned, called: Called) {
        let Called { id, result, tries } = called;
        let is_calling = owned.busy.get(&id).is_some_and(|busy| busy.called.is_some());
        let Some(busy) = owned.busy.remove(&id).filter(|_| is_calling) else { return };
        let Some(event) = busy.called else { return };
        let parked = owned.parked.get(&id);
        let retried: Vec<ParkedEvent> =
            parked.and_then(|parked| parked.first()).into_iter().cloned().collect();
        let commands = match result {
            Ok(commands) => commands,
            Err(fault) => return self.call_failed(owned, &id, &event, (&fault, tries), retried),
        };
        let is_first = owned.inbox.next(&id).is_some_and(|next| next.position == event.position);
        if retried.is_empty() && is_first {
            owned.inbox.done(&id);
        }
        self.show(|shown| shown.done += 1);
        let outgoing = commands.into_iter().enumerate();
        let outgoing = outgoing.map(|(index, command)| self.sent(&id, &event, index, command));
        let planned = Planned { unparks: retried, ..Planned::new(&id) };
        match busy.instance.sending(outgoing.collect(), self.events.codec()) {
            Ok((instance, outgoing)) => {
                if outgoing.is_empty() && planned.unparks.is_empty() {
                    owned.look(&id);
                } else {
                    let took = Some(event);
                    owned.decided.push(Planned { outgoing, took, ..planned.unchanged(instance) });
                }
            }
            Err(fault) => self.call_failed(owned, &id, &event, (&fault, tries), planned.unparks),
        }
    }

    /// Parks an event whose call failed, with all that waits behind it.
    fn call_failed(
        &self,
        owned: &mut Owned,
        id: &str,
        event: &RecordedEvent,
        (fault, tries): (&Fault, u32),
        retried: Vec<ParkedEvent>,
    ) {
        let mut first = self.parked_event(owned, id, event, Some(fault));
        first.attempts = tries;
        if let Some(before) = retried.first() {
            (first.attempts, first.parked_at) = (before.attempts + tries, before.parked_at);
        }
        let behind = owned.inbox.take(id).into_iter();
        let behind = behind.filter(|other| other.position != event.position).collect::<Vec<_>>();
        let mut parks = vec![first];
        parks.extend(behind.iter().map(|event| self.parked_event(owned, id, event, None)));
        owned.decided.push(Planned { parks, unparks: retried, ..Planned::new(id) });
    }

    /// A command of a call, under a key that is the same each time that the call is made.
    fn sent(
        &self,
        id: &str,
        event: &RecordedEvent,
        index: usize,
        command: ReactorCommand,
    ) -> Outgoing {
        let ReactorCommand { name, content } = command;
        let metadata =
            Metadata { issued_at: Some(event.recorded_at), ..Cause::from(event).of_command() };
        let key = crate::context::idempotency_key(self.name(), event.id, id);
        Outgoing {
            key: format!("{key}/{}", index + 1),
            name: name.to_owned(),
            content,
            metadata: Arc::new(metadata),
        }
    }
}
