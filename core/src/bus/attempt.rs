//! One attempt at a command: load, decide, append. It is compiled once for each aggregate, not for each command.

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::runtime::Handle;

use super::append::Appended;
use super::trial::Trial;
use super::{CommandBus, DispatchError, SetupError};
use crate::aggregate::{Aggregate, Misfit};
use crate::codec::PayloadOf;
use crate::command::{Decision, HandledBy};
use crate::context::Context;
use crate::event::EventEnum;
use crate::metadata::Metadata;
use crate::receipt::Receipt;
use crate::repository::{Last, Replayed, Until, replay, take_snapshot};
use crate::store::{Append, Conflict, KeyClaim, NewEvent, StoreError};
use crate::stream::{Expected, StreamHead, StreamId};

/// A domain's error whose type the sender of the command knows.
pub(super) type Rejected = Box<dyn Error + Send + Sync>;

/// How a command ended, before its sender's types are back in place.
pub(super) type Answer = Result<Receipt, DispatchError<Rejected>>;

/// What a handler decided, with the domain's error untyped.
type Decided<A> = Result<Result<Vec<<A as Aggregate>::Event>, Rejected>, Misfit>;

/// A command for one aggregate, whatever its type.
pub(super) trait AnyCommand<A: Aggregate>: Send + Sync {
    /// The command's name.
    fn name(&self) -> &'static str;

    /// The command as JSON.
    fn content(&self) -> Result<Value, serde_json::Error>;

    /// Decides a copy of the command.
    fn decide<'a>(&'a self, state: Option<&'a A>, cx: &'a Context<A>) -> BoxFuture<'a, Decided<A>>;
}

impl<A: Aggregate, C: HandledBy<A>> AnyCommand<A> for C {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn content(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self)
    }

    fn decide<'a>(&'a self, state: Option<&'a A>, cx: &'a Context<A>) -> BoxFuture<'a, Decided<A>> {
        C::handle(state, self.clone(), cx)
            .map(|output| output.map(|output| output.decide().map_err(Rejected::from)))
            .boxed()
    }
}

/// What a command's attempts share.
pub(super) struct Terms {
    pub(super) metadata: Arc<Metadata>,
    pub(super) expected_version: Option<u64>,
    pub(super) key: Option<KeyClaim>,
}

/// A command and its aggregate, as the bus sees them: without their types.
#[async_trait]
pub(super) trait Attempt: Send + Sync {
    /// The command's name, and the category of its aggregate.
    fn names(&self) -> (&'static str, &'static str);

    /// The command as JSON.
    fn content(&self) -> Result<Value, serde_json::Error>;

    /// Loads, decides, appends; once.
    async fn attempt(&self, bus: &CommandBus, terms: &Terms) -> Answer;
}

/// A command and its aggregate.
pub(super) struct Job<A: Aggregate> {
    pub(super) id: A::Id,
    pub(super) stream_id: StreamId,
    pub(super) command: Box<dyn AnyCommand<A>>,
    /// The command as JSON, if it came so.
    pub(super) content: Option<Value>,
}

#[async_trait]
impl<A: Aggregate> Attempt for Job<A> {
    fn names(&self) -> (&'static str, &'static str) {
        (self.command.name(), A::CATEGORY)
    }

    fn content(&self) -> Result<Value, serde_json::Error> {
        self.content.clone().map_or_else(|| self.command.content(), Ok)
    }

    async fn attempt(&self, bus: &CommandBus, terms: &Terms) -> Answer {
        match &bus.inner.settings.cache {
            Some(cache) => self.attempt_warm(bus, terms, cache).await,
            None => self.attempt_cold(bus, terms).await,
        }
    }
}

impl<A: Aggregate> Job<A> {
    pub(super) async fn load(
        &self,
        bus: &CommandBus,
    ) -> Result<Replayed<A>, DispatchError<Rejected>> {
        Ok(replay::<A>(&bus.inner.stores, &self.id, &self.stream_id, Until::Head).await?)
    }

    /// Loads, decides, appends.
    async fn attempt_cold(&self, bus: &CommandBus, terms: &Terms) -> Answer {
        let replayed = self.load(bus).await?;
        let (version, last) = (replayed.version(), replayed.last);
        match self.decide(bus, terms, &replayed).await? {
            None => self.receipt_of_nothing(bus, last.map(Last::head)).await,
            Some(events) => {
                let (append, _) = self.prepare(bus, terms, &events, replayed)?;
                let receipt = match bus.append(A::CATEGORY, append).await? {
                    Appended::Stored(receipt) => receipt,
                    Appended::Before(receipt) => return Ok(receipt),
                };
                self.snapshot_if_due(bus, version, &receipt, &events);
                Ok(receipt)
            }
        }
    }

    /// Whether the stream is still at a version.
    pub(super) async fn is_at(
        &self,
        bus: &CommandBus,
        version: u64,
    ) -> Result<bool, DispatchError<Rejected>> {
        let head = bus.inner.stores.events.stream_head(&self.stream_id).await;
        Ok(head.map_err(DispatchError::Store)?.version == version)
    }

    /// Decides the command on a state; `None` if there is nothing to store.
    pub(super) async fn decide(
        &self,
        bus: &CommandBus,
        terms: &Terms,
        replayed: &Replayed<A>,
    ) -> Result<Option<Vec<A::Event>>, DispatchError<Rejected>> {
        let settings = &bus.inner.settings;
        let services = (settings.services.get::<A>())
            .ok_or_else(|| SetupError::missing_services(std::any::type_name::<A>()))?;
        let (stream_id, version) = (&self.stream_id, replayed.version());
        if let Some(expected) = terms.expected_version
            && expected != version
        {
            let expected = Expected::at(expected);
            let conflict = Conflict::new(stream_id.clone(), expected, version);
            return Err(DispatchError::Conflict(conflict));
        }
        let cx = Context::<A>::new(self.id.clone(), services, settings.clock.now())
            .with_stream_version(version)
            .with_metadata(terms.metadata.clone());
        let decided = self.command.decide(replayed.state.as_ref(), &cx).await;
        let events = decided
            .map_err(|misfit| misfit_error(misfit, stream_id))?
            .map_err(DispatchError::Rejected)?;
        Ok((!events.is_empty() || terms.key.is_some()).then_some(events))
    }

    /// Makes the append of what was decided, and tries it out; gives back what it leads to, unless only the store knows.
    pub(super) fn prepare(
        &self,
        bus: &CommandBus,
        terms: &Terms,
        events: &[A::Event],
        replayed: Replayed<A>,
    ) -> Result<(Append, Option<Replayed<A>>), DispatchError<Rejected>> {
        let expected = Expected::at(replayed.version());
        let now = bus.inner.settings.clock.now();
        let mut trial = Trial::new(self.id.clone(), &self.stream_id, replayed, now);
        let sealed = self.seal(bus, events, &terms.metadata, &mut trial)?;
        let mut append = Append::new(self.stream_id.clone(), expected, sealed);
        append.key.clone_from(&terms.key);
        Ok((append, trial.outcome()))
    }

    pub(super) async fn receipt_of_nothing(
        &self,
        bus: &CommandBus,
        head: Option<StreamHead>,
    ) -> Answer {
        let head = if let Some(head) = head {
            head
        } else {
            let head = bus.inner.stores.events.stream_head(&self.stream_id).await;
            head.map_err(DispatchError::Store)?
        };
        Ok(Receipt::new(self.stream_id.clone(), head, 0))
    }

    fn seal(
        &self,
        bus: &CommandBus,
        events: &[A::Event],
        metadata: &Arc<Metadata>,
        trial: &mut Trial<A>,
    ) -> Result<Vec<NewEvent>, DispatchError<Rejected>> {
        let codec = bus.inner.stores.events.codec();
        let stream_id = &self.stream_id;
        let seal = |event: &A::Event| {
            let stored = event.stored();
            let unwritable = |error: &dyn Error| {
                let message = format!("append to stream `{stream_id}`: event {error}");
                DispatchError::Store(StoreError::invalid(message))
            };
            if stored.retired {
                return Err(trial.unfit(stored.name, "it is retired: no handler may return it"));
            }
            let json = event.encode().map_err(|error| unwritable(&error))?;
            let tried = trial.decode(stored, &json)?;
            let of = PayloadOf::Event { stream: stream_id.as_str(), event_type: stored.name };
            let data = codec.seal(of, json).map_err(|error| unwritable(&error))?;
            let id = bus.inner.settings.ids.new_id();
            let new = NewEvent::new(id, stored.name, stored.version, data)
                .with_readable_from(stored.readable_from)
                .with_metadata(metadata.clone());
            trial.apply(&tried, &new)?;
            Ok(new)
        };
        events.iter().map(seal).collect()
    }

    /// Takes a snapshot after the command has been answered, which cannot fail it any more.
    pub(super) fn snapshot_if_due(
        &self,
        bus: &CommandBus,
        before: u64,
        receipt: &Receipt,
        events: &[A::Event],
    ) {
        let Some(policy) = A::SNAPSHOT else { return };
        let names = events.iter().map(EventEnum::event_type);
        if !policy.is_due(before, receipt.stream_version, names) {
            return;
        }
        let (stores, id, stream_id) =
            (bus.inner.stores.clone(), self.id.clone(), self.stream_id.clone());
        let Ok(runtime) = Handle::try_current() else {
            tracing::warn!(%stream_id, "no snapshot could be taken: there is no Tokio runtime");
            return;
        };
        let snapshot = async move {
            let taken = AssertUnwindSafe(take_snapshot::<A>(&stores, id)).catch_unwind().await;
            match taken {
                Ok(Ok(version)) => tracing::debug!(%stream_id, version, "snapshot taken"),
                Ok(Err(error)) => tracing::warn!(%stream_id, %error, "no snapshot could be taken"),
                Err(_) => tracing::error!(%stream_id, "taking a snapshot panicked"),
            }
        };
        bus.inner.background.spawn_on(snapshot, &runtime);
    }
}

fn misfit_error<E>(misfit: Misfit, stream_id: &StreamId) -> DispatchError<E> {
    let stream_id = stream_id.clone();
    match misfit {
        Misfit::Exists => DispatchError::AlreadyExists { stream_id },
        Misfit::Missing => DispatchError::NotFound { stream_id },
    }
}
