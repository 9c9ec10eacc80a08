//! One process as its stream tells: what it takes, what it has sent, and when it has come to its end.
//!
//! It knows no store: whoever runs it brings what it takes, commits the step that comes of it, and then goes on with the
//! instance after it.

mod made;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use self::made::Was;
pub use self::made::{StepMade, Taken};
use super::manager::{Input, Stepped};
use super::record::{AskedCommand, Cause, StepRecord, category_of};
use super::{AnyProcess, Fault, Rejection};
use crate::codec::{DecodeError, PayloadCodec};
use crate::metadata::Metadata;
use crate::position::Position;
use crate::recorded_event::RecordedEvent;
use crate::store::{DeadlineChange, OutgoingCommand};
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// A command on its way.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outgoing {
    /// The idempotency key under which it is done once.
    pub key: String,
    /// Its name.
    pub name: String,
    /// What it says.
    pub content: Value,
    /// Who caused it, and why.
    pub metadata: Arc<Metadata>,
}

/// One process, as far as its steps are committed.
#[derive(Debug, Clone)]
pub struct Instance {
    id: Arc<str>,
    stream_id: StreamId,
    /// The version of its stream.
    stream_version: u64,
    incarnation: u64,
    seen: Position,
    version: u32,
    /// The state; of a process that ends, the one before its end.
    state: Option<Arc<RawValue>>,
    /// Whether its last step ended it. It holds once all commands are accepted.
    ends: bool,
    outgoing: VecDeque<Outgoing>,
    deadlines: BTreeMap<String, Timestamp>,
    /// Of its last step.
    metadata: Arc<Metadata>,
    /// Its last step.
    step_id: Option<Uuid>,
}

impl Instance {
    /// A process of which nothing is known: it never began.
    pub fn new(process: &dyn AnyProcess, id: &str) -> Self {
        let empty = Self::without_steps(&category_of(process.name()), id);
        Self { version: process.version(), ..empty }
    }

    /// What sends commands and keeps no steps: one key of a reactor.
    pub(crate) fn without_steps(category: &str, id: &str) -> Self {
        Self {
            id: Arc::from(id),
            stream_id: StreamId::new(category, id),
            stream_version: 0,
            incarnation: 0,
            seen: Position::START,
            version: 1,
            state: None,
            ends: false,
            outgoing: VecDeque::new(),
            deadlines: BTreeMap::new(),
            metadata: Arc::default(),
            step_id: None,
        }
    }

    /// Has it send commands: as they are to be kept.
    pub(crate) fn sending(
        mut self,
        commands: Vec<Outgoing>,
        codec: &dyn PayloadCodec,
    ) -> Result<(Self, Vec<OutgoingCommand>), Fault> {
        let sealed = commands.iter().map(|command| self.sealed(command, codec));
        let sealed = sealed.collect::<Result<Vec<_>, _>>()?;
        self.outgoing = commands.into();
        Ok((self, sealed))
    }

    /// The process after the last step of its stream; `unanswered` tells of each of that step's keys whether its command is
    /// still to go out.
    ///
    /// # Errors
    ///
    /// When the step cannot be read.
    pub fn load(
        process: &dyn AnyProcess,
        id: &str,
        step: &RecordedEvent,
        codec: &dyn PayloadCodec,
        unanswered: impl Fn(&str) -> bool,
    ) -> Result<Self, DecodeError> {
        let record = StepRecord::read(step, codec)?;
        let mut instance = Self {
            stream_version: step.stream_version,
            incarnation: record.incarnation,
            seen: record.seen,
            version: record.version,
            state: record.state,
            ends: record.ends,
            deadlines: record.deadlines,
            metadata: step.metadata.clone(),
            step_id: Some(step.id),
            ..Self::new(process, id)
        };
        let sent = Arc::new(instance.command_metadata(&record.cause, record.at, step.id));
        instance.outgoing = record
            .commands
            .into_iter()
            .filter(|asked| unanswered(&asked.key))
            .map(|AskedCommand { key, name, content }| Outgoing {
                key,
                name,
                content,
                metadata: sent.clone(),
            })
            .collect();
        instance.settle();
        Ok(instance)
    }

    /// The id of the process, as text.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The stream of its steps.
    pub const fn stream_id(&self) -> &StreamId {
        &self.stream_id
    }

    /// Its state as JSON, if it lives.
    pub fn state(&self) -> Option<&RawValue> {
        if self.ends { None } else { self.state.as_deref() }
    }

    /// The commands that are on their way, in their order.
    pub const fn outgoing(&self) -> &VecDeque<Outgoing> {
        &self.outgoing
    }

    /// The deadlines that stand, by their names.
    pub const fn deadlines(&self) -> &BTreeMap<String, Timestamp> {
        &self.deadlines
    }

    /// The position of the last event that it has seen.
    pub const fn seen(&self) -> Position {
        self.seen
    }

    /// Whether it waits for the answers of commands.
    pub fn is_busy(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether it has seen an event.
    pub fn has_seen(&self, position: Position) -> bool {
        position <= self.seen
    }

    /// Takes an event.
    ///
    /// # Errors
    ///
    /// When the process has to wait for a person.
    pub fn event(
        &self,
        process: &dyn AnyProcess,
        event: &RecordedEvent,
        codec: &dyn PayloadCodec,
        step_id: Uuid,
    ) -> Result<Taken, Fault> {
        if self.has_seen(event.position) {
            return Ok(Taken::Skipped);
        }
        let cause = Cause::Event {
            id: event.id,
            position: event.position,
            event_type: event.event_type.clone().into_owned(),
            stream: event.stream_id.to_string(),
        };
        let metadata = Metadata {
            correlation_id: event.metadata.correlation_id.clone(),
            causation_id: Some(event.id.to_string()),
            user: event.metadata.user.clone(),
            headers: event.metadata.headers.clone(),
            ..Metadata::default()
        };
        let state = self.state.as_deref().map(|state| (self.version, state));
        let stepped = process.step(&self.id, state, Input::Event(event), codec)?;
        let Some(stepped) = stepped else { return Ok(Taken::Skipped) };
        if self.state.is_none() && stepped.state.is_none() && stepped.commands.is_empty() {
            return Ok(Taken::Skipped);
        }
        let mut after = self.clone();
        after.seen = event.position;
        let was = Was { cause, at: event.recorded_at, metadata, step_id };
        after.made(self, process, stepped, was, codec)
    }

    /// Takes the refusal of the command that is to go out next. What the step asks for takes the place of that step's other
    /// commands.
    ///
    /// # Errors
    ///
    /// When the process has to wait for a person.
    pub fn refused(
        &self,
        process: &dyn AnyProcess,
        why: &Rejection,
        at: Timestamp,
        codec: &dyn PayloadCodec,
        step_id: Uuid,
    ) -> Result<Taken, Fault> {
        let Some(refused) = self.outgoing.front() else { return Ok(Taken::Skipped) };
        let seen = self.seen_at(&refused.name, at, step_id);
        let input =
            Input::Refusal { command: &refused.name, content: &refused.content, why, at: &seen };
        let state = self.state.as_deref().map(|state| (self.version, state));
        let Some(stepped) = process.step(&self.id, state, input, codec)? else {
            let why = format!("{why}; the step that sent it began and ended the process");
            return Err(Fault::Refused { command: refused.name.clone(), why });
        };
        let cause = Cause::Refusal {
            key: refused.key.clone(),
            command: refused.name.clone(),
            kind: why.kind().as_str().to_owned(),
            reason: why.to_string(),
            at,
        };
        let was = Was { cause, at, metadata: self.next_metadata(), step_id };
        self.clone().made(self, process, stepped, was, codec)
    }

    /// Takes a deadline that is due.
    ///
    /// # Errors
    ///
    /// When the process has to wait for a person.
    pub fn deadline(
        &self,
        process: &dyn AnyProcess,
        name: &str,
        codec: &dyn PayloadCodec,
        step_id: Uuid,
    ) -> Result<Taken, Fault> {
        let Some(&due) = self.deadlines.get(name) else { return Ok(Taken::Skipped) };
        let Some(state) = self.state.as_deref() else { return Ok(Taken::Skipped) };
        let seen = self.seen_at(name, due, step_id);
        let input = Input::Deadline { name, at: &seen };
        let stepped = process.step(&self.id, Some((self.version, state)), input, codec)?;
        let Some(stepped) = stepped else { return Ok(Taken::Skipped) };
        let mut after = self.clone();
        after.deadlines.remove(name);
        let cause = Cause::Deadline { name: name.to_owned(), due };
        let was = Was { cause, at: due, metadata: self.next_metadata(), step_id };
        after.made(self, process, stepped, was, codec)
    }

    /// Gives up what is parked: the events up to a position, and the commands that are on their way.
    ///
    /// # Errors
    ///
    /// When the codec does not seal the step.
    pub fn dropped(
        &self,
        process: &dyn AnyProcess,
        up_to: Position,
        deadline: Option<&str>,
        at: Timestamp,
        codec: &dyn PayloadCodec,
        step_id: Uuid,
    ) -> Result<Taken, Fault> {
        let mut after = self.clone();
        after.seen = after.seen.max(up_to);
        // The state is not touched, and so stays of the version that wrote it.
        let stepped = Stepped {
            version: self.version,
            state: if self.ends { None } else { self.state.clone() },
            commands: Vec::new(),
            deadlines: Vec::new(),
        };
        // A deadline whose step fails would fail again; all others fire.
        after.deadlines.retain(|name, _| deadline != Some(name));
        let (cause, metadata) = (Cause::Dropped { at }, self.next_metadata());
        after.made(self, process, stepped, Was { cause, at, metadata, step_id }, codec)
    }

    /// Takes in that the next command was accepted; gives back whether the process is done with it, and what then becomes of
    /// its deadlines.
    pub fn accepted(&mut self) -> Option<Vec<DeadlineChange>> {
        self.outgoing.pop_front();
        if !self.outgoing.is_empty() || !self.ends {
            return None;
        }
        let cancelled = self.deadlines.keys().map(|name| self.cancel(name)).collect();
        self.settle();
        Some(cancelled)
    }

    /// Has a process that ends be done once nothing is on its way any more.
    fn settle(&mut self) {
        if self.ends && self.outgoing.is_empty() {
            self.state = None;
            self.ends = false;
            self.deadlines.clear();
        }
    }
}
