//! What handlers and folds are told beside the command or the event.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::aggregate::Aggregate;
use crate::metadata::Metadata;
use crate::position::Position;
use crate::reactor::Reactor;
use crate::recorded_event::RecordedEvent;
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// What an [`EventContext`] is about: an aggregate or a process by its id, a row by its key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no aggregate, no read model and no process manager",
    label = "has no key",
    note = "derive one: `#[derive(Aggregate)] #[aggregate(id = …, events(…))]`, `#[derive(Debug, Clone, ReadModel)] #[read_model(table = \"…\")]`, or `#[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)] #[process_manager(name = \"…\", id = …, sends(…))]`"
)]
pub trait Subject: Sized {
    /// What tells one from another.
    type Key;
}

/// What a `#[handle]` may ask beside its command: services, clock, metadata.
#[derive(Debug)]
pub struct Context<A: Aggregate> {
    id: A::Id,
    services: Arc<A::Services>,
    now: Timestamp,
    stream_version: u64,
    metadata: Arc<Metadata>,
}

impl<A: Aggregate> Context<A> {
    /// Makes a context, as the command bus and the test harness do for each command.
    pub fn new(id: A::Id, services: Arc<A::Services>, now: Timestamp) -> Self {
        Self { id, services, now, stream_version: 0, metadata: Arc::default() }
    }

    /// Sets the version of the stream that the command is decided on.
    #[must_use]
    pub fn with_stream_version(mut self, version: u64) -> Self {
        self.stream_version = version;
        self
    }

    /// Sets the command's metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Arc<Metadata>) -> Self {
        self.metadata = metadata;
        self
    }

    /// The id of the aggregate that the command is for.
    pub fn id(&self) -> &A::Id {
        &self.id
    }

    /// The aggregate's services, as they were given to the bus.
    pub fn services(&self) -> &A::Services {
        &self.services
    }

    /// The instant at which the command is decided, by the bus's clock.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The version of the stream that the command is decided on; 0 for a stream without events.
    pub fn stream_version(&self) -> u64 {
        self.stream_version
    }

    /// Who sent the command, and why.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

/// What an `#[apply]` may ask beside its event: the aggregate's id, the instant, versions, metadata.
///
/// It knows only what is stored, so that a replay gives the same state for ever.
#[derive(Debug)]
pub struct EventContext<S: Subject> {
    key: S::Key,
    event: RecordedEvent,
    /// Whether anybody asked for what only the store knows.
    asked_store: AtomicBool,
    /// Of a reactor.
    services: Option<Arc<dyn Any + Send + Sync>>,
}

impl<S: Subject> EventContext<S> {
    /// Makes a context for one event of one subject.
    pub fn new(key: S::Key, event: RecordedEvent) -> Self {
        Self { key, event, asked_store: AtomicBool::new(false), services: None }
    }

    /// Goes on to the next event of the same subject.
    pub fn advance(&mut self, event: RecordedEvent) {
        self.event = event;
    }

    /// Whether anybody asked for the instant or the position, which the store draws.
    pub(crate) fn has_asked_store(&self) -> bool {
        self.asked_store.load(Ordering::Relaxed)
    }

    pub(crate) fn recorded(&self) -> &RecordedEvent {
        &self.event
    }

    /// The id of what the event is applied to.
    pub fn id(&self) -> &S::Key {
        &self.key
    }

    /// The key of what the event is applied to: of an aggregate, its id.
    pub fn key(&self) -> &S::Key {
        &self.key
    }

    /// The instant at which the event was stored, by the store's clock.
    pub fn recorded_at(&self) -> Timestamp {
        self.asked_store.store(true, Ordering::Relaxed);
        self.event.recorded_at
    }

    /// What has no clock cannot be asked for one.
    #[doc(hidden)]
    pub fn now(&self) -> Timestamp
    where
        AnyContext: Clocked<S>,
    {
        self.event.recorded_at
    }

    /// The event's own id.
    pub fn event_id(&self) -> Uuid {
        self.event.id
    }

    /// The stream that the event is in.
    pub fn stream_id(&self) -> &StreamId {
        &self.event.stream_id
    }

    /// The event's place in its stream, from 1.
    pub fn stream_version(&self) -> u64 {
        self.event.stream_version
    }

    /// The version of the shape in which the event was stored.
    pub fn schema_version(&self) -> u32 {
        self.event.schema_version
    }

    /// The event's place among all events.
    pub fn position(&self) -> Position {
        self.asked_store.store(true, Ordering::Relaxed);
        self.event.position
    }

    /// Who caused the event, and why.
    pub fn metadata(&self) -> &Metadata {
        &self.event.metadata
    }
}

/// Any context of an event. It is not the subject of which something is asked: the compiler would only say what that is not.
#[doc(hidden)]
#[derive(Debug)]
pub enum AnyContext {}

/// Whether what sees an event of `S` has a clock: nothing does.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{S}` sees events, and has no clock: the time comes from the event",
    label = "write `recorded_at()`",
    note = "`cx.recorded_at()` is the instant of the event, of a deadline that fires, or of a refusal: what is done again does the same"
)]
pub trait Clocked<S> {}

impl<R: Reactor> EventContext<R> {
    /// Gives the reactor what its calls may use.
    pub(crate) fn with_services(mut self, services: Arc<dyn Any + Send + Sync>) -> Self {
        self.services = Some(services);
        self
    }

    /// What the reactor may use, as it was given to the engine.
    ///
    /// # Panics
    ///
    /// If the context was not made by an engine or a harness, and the services are not `()`.
    pub fn services(&self) -> &R::Services {
        static NOTHING: () = ();
        let services: &(dyn Any + Send + Sync) = match &self.services {
            Some(services) => &**services,
            None => &NOTHING,
        };
        services
            .downcast_ref()
            .expect("the context has no services: an engine or a harness makes it")
    }

    /// A key by which whoever is called can tell that it was called before: the same for each call for this event and this key.
    pub fn idempotency_key(&self) -> String {
        idempotency_key(R::NAME, self.event.id, &self.key)
    }
}

/// The key of what a reactor does on one event for one key.
pub(crate) fn idempotency_key(reactor: &str, event: Uuid, key: &str) -> String {
    let hash = Sha256::digest(key.as_bytes());
    let short = u64::from_be_bytes(std::array::from_fn(|index| hash[index]));
    format!("{reactor}/{}/{short:016x}", event.simple())
}

/// The last parameter of a `#[handle]`.
#[diagnostic::on_unimplemented(
    message = "the last parameter of a `#[handle]` of `{A}` is `&Context<Self>`, not `{Self}`",
    label = "expected `&Context<Self>`",
    note = "a handler takes its command and, last and only if it wants it, `cx: &Context<Self>`"
)]
pub trait HandlerContext<'a, A: Aggregate> {
    /// Passes the context on.
    fn from_context(cx: &'a Context<A>) -> Self;
}

impl<'a, A: Aggregate> HandlerContext<'a, A> for &'a Context<A> {
    fn from_context(cx: &'a Context<A>) -> Self {
        cx
    }
}

/// The first parameter of an `#[apply(upsert)]`.
#[diagnostic::on_unimplemented(
    message = "an `#[apply(upsert)]` of `{A}` takes the state as `Option<Self>`, not as `{Self}`",
    label = "expected `Option<Self>`",
    note = "an upsert takes the state, if there is any, and gives back the next; to change a state that exists, write `#[apply]` and `&mut self`"
)]
pub trait AppliedState<A> {
    /// Passes the state on.
    fn from_state(state: Option<A>) -> Self;
}

impl<A: Aggregate> AppliedState<A> for Option<A> {
    fn from_state(state: Option<A>) -> Self {
        state
    }
}

/// The first parameter of a `#[handle(upsert)]`.
#[diagnostic::on_unimplemented(
    message = "a `#[handle(upsert)]` of `{A}` takes the state as `Option<&Self>`, not as `{Self}`",
    label = "expected `Option<&Self>`",
    note = "an upsert looks at the state, if there is any; for a command that needs one, write `#[handle]` and `&self`"
)]
pub trait HandledState<'a, A> {
    /// Passes the state on.
    fn from_state(state: Option<&'a A>) -> Self;
}

impl<'a, A: Aggregate> HandledState<'a, A> for Option<&'a A> {
    fn from_state(state: Option<&'a A>) -> Self {
        state
    }
}

/// The last parameter of an `#[apply]`.
#[diagnostic::on_unimplemented(
    message = "the last parameter of an `#[apply]` of `{S}` is `&EventContext<Self>`, not `{Self}`",
    label = "expected `&EventContext<Self>`",
    note = "an apply takes its event and, last and only if it wants it, `cx: &EventContext<Self>`"
)]
pub trait ApplyContext<'a, S: Subject> {
    /// Passes the context on.
    fn from_context(cx: &'a EventContext<S>) -> Self;
}

impl<'a, S: Subject> ApplyContext<'a, S> for &'a EventContext<S> {
    fn from_context(cx: &'a EventContext<S>) -> Self {
        cx
    }
}
