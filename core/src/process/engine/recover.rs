//! What an owner begins with: what is parked, what waits to go out, the deadlines.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use super::kind::Kind;
use super::listed::command_mark;
use super::owner::Owned;
use super::plan::Planned;
use super::worker::{Ended, Worker};
use crate::codec::PayloadOf;
use crate::position::Position;
use crate::process::{Fault, Instance, Outgoing};
use crate::projection::{ParkedEvent, chain};
use crate::store::{Deadline, OutgoingCommand, ReadStream, StoreError};
use crate::stream::StreamId;

/// How many commands or deadlines are read at once.
const PAGE: usize = 1_000;

/// How far ahead deadlines are known, and how much of that is left when the next are read.
const HORIZON: Duration = Duration::from_hours(1);
const LEFT: Duration = Duration::from_mins(20);

impl Worker {
    /// Goes on with what the store keeps: what is parked, what waits to go out, the deadlines.
    pub(super) async fn recover(&self, owned: &mut Owned) -> Result<(), Ended> {
        let store = self.store()?;
        if self.settings.clock.is_none() {
            let nobody = StreamId::new("annals/clock", "now");
            self.settings.is_now(self.events.stream_head(&nobody).await?.recorded_at);
        }
        let skipped = store.parked(&self.kind.skips(), None).await?;
        owned.skipped = skipped.into_iter().map(|event| event.position).collect();
        let mut parked = store.parked(&owned.reader, None).await?;
        parked.retain(|event| self.shard.has_key(&event.key));
        owned.parked(parked);
        let mut waiting = self.waiting_commands(|_| true).await?;
        waiting.retain(|id, commands| !owned.waits_with(id, commands));
        let ids: Vec<String> = waiting.keys().cloned().collect();
        let loads = ids.iter().map(|id| self.load(id, waiting.get(id)));
        let loads: Vec<BoxFuture<'_, _>> = loads.map(FutureExt::boxed).collect();
        let mut loaded = futures::stream::iter(loads).buffered(8);
        while let Some(instance) = loaded.next().await {
            let (id, instance) = instance?;
            match instance {
                Ok(instance) => owned.goes_on(instance),
                Err(fault) => {
                    let command = waiting.get(&id).and_then(|waiting| waiting.first());
                    let mark = command.map(|command| command_mark(&command.command));
                    self.park_load(owned, &id, mark, &fault);
                }
            }
        }
        self.know_deadlines(owned).await?;
        Ok(())
    }

    /// Reads a process: its last step, and which of that step's commands are still to go out.
    pub(super) async fn load(
        &self,
        id: &str,
        waiting: Option<&Vec<OutgoingCommand>>,
    ) -> Result<(String, Result<Instance, Fault>), StoreError> {
        let process = match &self.kind {
            Kind::Process(process) => process,
            Kind::Reactor(_) => return Ok((id.to_owned(), self.load_calls(id, waiting))),
        };
        let stream_id = StreamId::new(&self.category, id);
        let page =
            self.events.stream_page(&ReadStream::new(stream_id).backwards().limit(1)).await?;
        let Some(step) = page.events.first() else {
            return Ok((id.to_owned(), Ok(Instance::new(&**process, id))));
        };
        let is_waiting = |key: &str| {
            waiting.is_some_and(|waiting| waiting.iter().any(|command| command.key == key))
        };
        let codec = self.events.codec();
        let instance = Instance::load(&**process, id, step, codec, is_waiting);
        Ok((id.to_owned(), instance.map_err(Fault::Unreadable)))
    }

    /// What a reactor has to send for one key.
    fn load_calls(
        &self,
        id: &str,
        waiting: Option<&Vec<OutgoingCommand>>,
    ) -> Result<Instance, Fault> {
        let codec = self.events.codec();
        let read = |command: &OutgoingCommand| {
            let of = PayloadOf::Command { command: &command.command };
            let failed = |error: &dyn std::fmt::Display| {
                Fault::Failed(format!("command `{}` cannot be read: {error}", command.command))
            };
            let json = codec.open(of, &command.data).map_err(|error| failed(&error))?;
            let content = serde_json::from_str(&json).map_err(|error| failed(&error))?;
            let (key, name) = (command.key.clone(), command.command.clone());
            Ok(Outgoing { key, name, content, metadata: command.metadata.clone() })
        };
        let commands: Result<Vec<Outgoing>, Fault> =
            waiting.into_iter().flatten().map(read).collect();
        let instance = Instance::without_steps(&self.category, id);
        Ok(instance.sending(commands?, codec)?.0)
    }

    /// Has a process wait that cannot be read, with what it would have taken; `mark` stands for the command that it would have
    /// sent, or the deadline that would have fired.
    pub(super) fn park_load(
        &self,
        owned: &mut Owned,
        id: &str,
        mark: Option<String>,
        fault: &Fault,
    ) {
        let mut parks = Vec::new();
        if let Some(mark) = mark.filter(|_| !owned.parked.contains_key(id)) {
            let parked = ParkedEvent {
                reader: owned.reader.clone(),
                key: id.to_owned(),
                position: Position::START,
                stream_id: StreamId::new(&self.category, id),
                event_type: mark,
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

    /// The commands of one process that wait to go out.
    pub(super) async fn waiting_of(&self, id: &str) -> Result<Vec<OutgoingCommand>, StoreError> {
        let found = self.waiting_commands(|command| command.process.id() == id).await?;
        Ok(found.into_values().flatten().collect())
    }

    /// The commands that wait to go out, by the ids of their processes: of those that are asked for.
    async fn waiting_commands(
        &self,
        is_asked_for: impl Fn(&OutgoingCommand) -> bool,
    ) -> Result<BTreeMap<String, Vec<OutgoingCommand>>, StoreError> {
        let store = self.store()?;
        let mut found: BTreeMap<String, Vec<OutgoingCommand>> = BTreeMap::new();
        let mut after = 0;
        loop {
            let page = store.outgoing(&self.category, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.number;
            let commands = page.into_iter().map(|waiting| waiting.command);
            let is_own = |command: &OutgoingCommand| self.shard.has_key(command.process.id());
            for command in commands.filter(is_own).filter(&is_asked_for) {
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
            let is_own = |deadline: &Deadline| self.shard.has_key(deadline.process.id());
            for deadline in page.into_iter().filter(is_own) {
                owned.deadlines.insert(deadline);
            }
        }
        owned.deadlines.until = until;
        Ok(())
    }
}
