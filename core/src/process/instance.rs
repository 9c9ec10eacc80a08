//! One process as its stream tells: what it takes, what it has sent, and when it has come to its end.
//!
//! It knows no store: whoever runs it brings what it takes, commits the step that comes of it, and then goes on with the
//! instance after it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::AnyProcess;
use super::manager::{Input, Stepped};
pub use super::record::Cause;
use super::record::{AskedCommand, STEP, STEP_VERSION, StepRecord, category_of};
use super::rejection::Rejection;
use crate::codec::{DecodeError, Payload, PayloadCodec, PayloadOf};
use crate::metadata::Metadata;
use crate::position::Position;
use crate::recorded_event::RecordedEvent;
use crate::store::{Append, Deadline, DeadlineChange, NewEvent, OutgoingCommand};
use crate::stream::{Expected, StreamHead, StreamId};
use crate::timestamp::Timestamp;

/// Why a step was not done. The process waits for a person.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The event cannot be read.
    #[error(transparent)]
    Unreadable(DecodeError),
    /// The event begins a process that lives already.
    #[error(
        "the event begins the process, but it lives; take `#[on(upsert)]` and `Option<Self>` if it may"
    )]
    Exists,
    /// A command was refused, and no step takes its refusal.
    #[error("command `{command}` was refused, and no `#[rejected]` takes it: {why}")]
    Refused {
        /// The name of the command.
        command: String,
        /// Why it was refused.
        why: String,
    },
    /// The step could not be done, as when it panics.
    #[error("{0}")]
    Failed(String),
}

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

/// What came of what a process took.
#[derive(Debug)]
#[non_exhaustive]
pub enum Taken {
    /// It needs a process that lives, and this one does not, or has seen it before.
    Skipped,
    /// A step, which is there once it is committed.
    Made(Box<StepMade>),
}

/// A step that is to be committed, and the process after it.
#[derive(Debug)]
#[non_exhaustive]
pub struct StepMade {
    /// The step, as an event of the process's stream.
    pub append: Append,
    /// The commands that are to go out.
    pub outgoing: Vec<OutgoingCommand>,
    /// The keys of commands that are not to go out any more.
    pub answered: Vec<String>,
    /// What becomes of its deadlines.
    pub deadlines: Vec<DeadlineChange>,
    /// Whether the process begins with it.
    pub begins: bool,
    /// Whether the process is done with it.
    pub is_done: bool,
    /// The process after the step.
    pub after: Instance,
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

    /// Makes a step of what it gave back. `self` is the process after what the step took, `before` that before it.
    fn made(
        mut self,
        before: &Self,
        process: &dyn AnyProcess,
        stepped: Stepped,
        was: Was,
        codec: &dyn PayloadCodec,
    ) -> Result<Taken, Fault> {
        let Was { cause, at, metadata, step_id } = was;
        let answered: Vec<String> =
            before.outgoing.iter().map(|outgoing| outgoing.key.clone()).collect();
        let begins = before.state.is_none() && !matches!(cause, Cause::Dropped { .. });
        self.stream_version += 1;
        self.step_id = Some(step_id);
        self.metadata = Arc::new(metadata);
        if begins {
            self.incarnation += 1;
            self.deadlines.clear();
        }
        self.ends = stepped.state.is_none();
        if let Some(state) = stepped.state {
            self.state = Some(state);
            self.version = stepped.version;
            if begins {
                let set = process.deadlines().into_iter();
                self.deadlines
                    .extend(set.filter_map(|(name, after)| Some((name.to_owned(), at + after?))));
            }
        }
        for moved in stepped.deadlines {
            match moved.due(at) {
                Some(due) => drop(self.deadlines.insert(moved.name().to_owned(), due)),
                None => drop(self.deadlines.remove(moved.name())),
            }
        }
        let sent = Arc::new(self.command_metadata(&cause, at, step_id));
        let name = process.name();
        let commands = stepped.commands.into_iter().enumerate();
        self.outgoing = commands
            .map(|(index, (command, content))| Outgoing {
                key: format!("{name}/{}/{}", step_id.simple(), index + 1),
                name: command.to_owned(),
                content,
                metadata: sent.clone(),
            })
            .collect();
        let append = self.append(cause, at, step_id, codec)?;
        let outgoing = self.outgoing.iter().map(|command| self.sealed(command, codec));
        let outgoing = outgoing.collect::<Result<Vec<_>, _>>()?;
        let lived = begins || before.state.is_some();
        let is_done = lived && self.ends && self.outgoing.is_empty();
        self.settle();
        let deadlines = self.changes_since(before);
        let made = StepMade { append, outgoing, answered, deadlines, begins, is_done, after: self };
        Ok(Taken::Made(Box::new(made)))
    }

    fn append(
        &self,
        cause: Cause,
        at: Timestamp,
        step_id: Uuid,
        codec: &dyn PayloadCodec,
    ) -> Result<Append, Fault> {
        let asked = self.outgoing.iter().map(|outgoing| AskedCommand {
            key: outgoing.key.clone(),
            name: outgoing.name.clone(),
            content: outgoing.content.clone(),
        });
        let record = StepRecord {
            cause,
            at,
            incarnation: self.incarnation,
            seen: self.seen,
            version: self.version,
            state: self.state.clone(),
            ends: self.ends,
            commands: asked.collect(),
            deadlines: self.deadlines.clone(),
        };
        let failed = |error: &dyn std::error::Error| {
            Fault::Failed(format!("the step cannot be written: {error}"))
        };
        let json = serde_json::to_string(&record).map_err(|error| failed(&error))?;
        let of = PayloadOf::Event { stream: self.stream_id.as_str(), event_type: STEP };
        let data = codec.seal(of, json).map_err(|error| failed(&error))?;
        let event =
            NewEvent::new(step_id, STEP, STEP_VERSION, data).with_metadata(self.metadata.clone());
        let expected = Expected::at(self.stream_version - 1);
        Ok(Append::new(self.stream_id.clone(), expected, vec![event]))
    }

    fn sealed(
        &self,
        outgoing: &Outgoing,
        codec: &dyn PayloadCodec,
    ) -> Result<OutgoingCommand, Fault> {
        let of = PayloadOf::Command { command: &outgoing.name };
        let data = codec.seal(of, outgoing.content.to_string()).map_err(|error| {
            Fault::Failed(format!("command `{}` cannot be written: {error}", outgoing.name))
        })?;
        Ok(OutgoingCommand {
            process: self.stream_id.clone(),
            key: outgoing.key.clone(),
            command: outgoing.name.clone(),
            data,
            metadata: outgoing.metadata.clone(),
        })
    }

    /// What its commands say of their cause: the event that the step saw; else the step.
    fn command_metadata(&self, cause: &Cause, at: Timestamp, step_id: Uuid) -> Metadata {
        let cause = match cause {
            Cause::Event { id, .. } => *id,
            _ => step_id,
        };
        Metadata {
            correlation_id: self.metadata.correlation_id.clone(),
            command_causation_id: Some(cause.to_string()),
            user: self.metadata.user.clone(),
            issued_at: Some(at),
            ..Metadata::default()
        }
    }

    /// Of a step that no event caused: the step before it did.
    fn next_metadata(&self) -> Metadata {
        Metadata { causation_id: self.step_id.map(|id| id.to_string()), ..(*self.metadata).clone() }
    }

    /// What a step sees that no event caused.
    fn seen_at(&self, name: &str, at: Timestamp, step_id: Uuid) -> RecordedEvent {
        let event = NewEvent::new(step_id, name.to_owned(), 1, Payload::new("null"))
            .with_metadata(Arc::new(self.next_metadata()));
        let head = StreamHead::new(self.stream_version + 1, self.seen, at);
        RecordedEvent::new(event, self.stream_id.clone(), head)
    }

    fn changes_since(&self, before: &Self) -> Vec<DeadlineChange> {
        let gone = before.deadlines.keys().filter(|name| !self.deadlines.contains_key(*name));
        let mut changes: Vec<_> = gone.map(|name| self.cancel(name)).collect();
        let set = self.deadlines.iter();
        let set = set.filter(|(name, due)| before.deadlines.get(*name) != Some(due));
        changes.extend(set.map(|(name, due)| {
            let (process, name) = (self.stream_id.clone(), name.clone());
            DeadlineChange::Set(Deadline { process, name, due: *due })
        }));
        changes
    }

    fn cancel(&self, name: &str) -> DeadlineChange {
        DeadlineChange::Cancel { process: self.stream_id.clone(), name: name.to_owned() }
    }
}

/// What a step was of.
struct Was {
    cause: Cause,
    at: Timestamp,
    metadata: Metadata,
    step_id: Uuid,
}
