//! What a worker runs: a process manager or a reactor.

use std::sync::Arc;

use super::builder::Settings;
use crate::codec::PayloadCodec;
use crate::process::record::{category_of, category_of_reactor};
use crate::process::{AnyProcess, Fault, SentCommand, Start};
use crate::reactor::AnyReactor;
use crate::recorded_event::RecordedEvent;
use crate::request::{Request, Wish, requests};
use crate::shards::Shard;
use crate::store::{CheckpointId, EventFilter, EventStore, StoreError, UnitOfWorkStore};
use crate::subscription::claim::{Checkpoints, Claim, RunOut};

/// What a worker runs.
#[derive(Clone)]
pub(super) enum Kind {
    /// Steps, which are written with the commands that they ask for.
    Process(Arc<dyn AnyProcess>),
    /// Calls, whose commands are written once they are done.
    Reactor(Arc<dyn AnyReactor>),
}

/// That there are to be other shards.
pub(super) struct Wished {
    pub(super) shards: u32,
    /// To be taken back once it is so.
    pub(super) wishes: Vec<Request>,
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

    /// The reader of the events of one shard.
    pub(super) fn reader(&self, shard: u32) -> CheckpointId {
        CheckpointId { name: self.category(), version: 1, shard }
    }

    /// By whose leases engines know of one another.
    pub(super) fn seats(&self) -> CheckpointId {
        CheckpointId::of_process_seats(&self.category())
    }

    /// Under which the events are kept that a person has had it pass over, whatever the shard.
    pub(super) fn skips(&self) -> CheckpointId {
        CheckpointId { name: format!("{}/skipped", self.category()), version: 1, shard: 0 }
    }

    /// What is asked for to be the owner of a shard.
    pub(super) fn claim(
        &self,
        shard: Shard,
        events: &Arc<dyn EventStore>,
        settings: &Settings,
    ) -> Claim {
        let id = self.reader(shard.index());
        Claim {
            events: events.clone(),
            checkpoints: Checkpoints::Beside(events.clone()),
            name: id.name.clone(),
            engine: settings.name.clone(),
            id,
            lifetime: settings.lease,
            // What is parked and what waits to go out change under a checkpoint that stays.
            run_out: RunOut::Lost,
        }
    }

    /// How many shards somebody wishes it to have, who said so last, and all such wishes.
    pub(super) async fn wished(
        &self,
        store: &dyn UnitOfWorkStore,
    ) -> Result<Option<Wished>, StoreError> {
        let reader = self.reader(0);
        let mut wishes = requests(store).await?;
        wishes.retain(|request| {
            request.reader == reader && matches!(request.wish, Wish::Shards { .. })
        });
        let last = wishes.last().map(|request| request.wish.clone());
        Ok(match last {
            Some(Wish::Shards { shards, .. }) => Some(Wished { shards, wishes }),
            _ => None,
        })
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
