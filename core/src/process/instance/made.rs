//! A step as it is to be committed: its record, its commands, its deadlines, and who caused them.

use std::sync::Arc;

use uuid::Uuid;

use super::{Instance, Outgoing};
use crate::codec::{Payload, PayloadCodec, PayloadOf};
use crate::metadata::Metadata;
use crate::process::manager::Stepped;
use crate::process::record::{AskedCommand, Cause, STEP, STEP_VERSION, StepRecord};
use crate::process::{AnyProcess, Fault};
use crate::recorded_event::RecordedEvent;
use crate::store::{Append, Deadline, DeadlineChange, NewEvent, OutgoingCommand};
use crate::stream::{Expected, StreamHead};
use crate::timestamp::Timestamp;

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

/// What a step was of.
pub(super) struct Was {
    pub(super) cause: Cause,
    pub(super) at: Timestamp,
    pub(super) metadata: Metadata,
    pub(super) step_id: Uuid,
}

impl Instance {
    /// Makes a step of what it gave back. `self` is the process after what the step took, `before` that before it.
    pub(super) fn made(
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

    pub(super) fn append(
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

    pub(super) fn sealed(
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
    pub(super) fn command_metadata(&self, cause: &Cause, at: Timestamp, step_id: Uuid) -> Metadata {
        let cause = match cause {
            Cause::Event { id, .. } => *id,
            _ => step_id,
        };
        Metadata {
            correlation_id: self.metadata.correlation_id.clone(),
            command_causation_id: Some(cause.to_string()),
            user: self.metadata.user.clone(),
            headers: self.metadata.headers.clone(),
            issued_at: Some(at),
            ..Metadata::default()
        }
    }

    /// Of a step that no event caused: the step before it did.
    pub(super) fn next_metadata(&self) -> Metadata {
        Metadata { causation_id: self.step_id.map(|id| id.to_string()), ..(*self.metadata).clone() }
    }

    /// What a step sees that no event caused.
    pub(super) fn seen_at(&self, name: &str, at: Timestamp, step_id: Uuid) -> RecordedEvent {
        let event = NewEvent::new(step_id, name.to_owned(), 1, Payload::new("null"))
            .with_metadata(Arc::new(self.next_metadata()));
        let head = StreamHead::new(self.stream_version + 1, self.seen, at);
        RecordedEvent::new(event, self.stream_id.clone(), head)
    }

    pub(super) fn changes_since(&self, before: &Self) -> Vec<DeadlineChange> {
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

    pub(super) fn cancel(&self, name: &str) -> DeadlineChange {
        DeadlineChange::Cancel { process: self.stream_id.clone(), name: name.to_owned() }
    }
}
