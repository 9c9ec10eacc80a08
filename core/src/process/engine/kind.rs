//! What a worker runs: a process manager or a reactor.

use std::sync::Arc;

use crate::codec::PayloadCodec;
use crate::process::record::{category_of, category_of_reactor};
use crate::process::{AnyProcess, Fault, SentCommand, Start};
use crate::reactor::AnyReactor;
use crate::recorded_event::RecordedEvent;
use crate::store::{CheckpointId, EventFilter};

/// What a worker runs.
#[derive(Clone)]
pub(super) enum Kind {
    /// Steps, which are written with the commands that they ask for.
    Process(Arc<dyn AnyProcess>),
    /// Calls, whose commands are written once they are done.
    Reactor(Arc<dyn AnyReactor>),
}

impl Kind {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Process(process) => process.name(),
            Self::Reactor(reactor) => reactor.name(),
        }
    }

    /// With which the names of its streams begin: those of a reactor hold nothing, but its commands are kept under them.
    pub(super) fn category(&self) -> String {
        match self {
            Self::Process(process) => category_of(process.name()),
            Self::Reactor(reactor) => category_of_reactor(reactor.name()),
        }
    }

    /// The reader of its events.
    pub(super) fn reader(&self) -> CheckpointId {
        CheckpointId { name: self.category(), version: 1, shard: 0 }
    }

    /// Under which the events are kept that a person has had it pass over.
    pub(super) fn skips(&self) -> CheckpointId {
        CheckpointId { name: format!("{}/skipped", self.category()), version: 1, shard: 0 }
    }

    pub(super) fn start(&self) -> Start {
        match self {
            Self::Process(process) => process.start(),
            Self::Reactor(reactor) => reactor.start(),
        }
    }

    pub(super) fn filter(&self) -> EventFilter {
        match self {
            Self::Process(process) => process.filter(),
            Self::Reactor(reactor) => reactor.filter(),
        }
    }

    /// The commands that it is known to send.
    pub(super) fn commands(&self) -> &'static [SentCommand] {
        match self {
            Self::Process(process) => process.commands(),
            Self::Reactor(_) => &[],
        }
    }

    pub(super) fn route(
        &self,
        event: &RecordedEvent,
        codec: &dyn PayloadCodec,
    ) -> Result<Vec<String>, Fault> {
        match self {
            Self::Process(process) => process.route(event, codec),
            Self::Reactor(reactor) => reactor.route(event, codec),
        }
    }
}
