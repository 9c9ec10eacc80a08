//! The events of a reactor, and what each has it do.

use std::error::Error;
use std::fmt;
use std::future::Future;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Reacted, Reactor, ReactorCommand};
use crate::codec::DecodeError;
use crate::context::EventContext;
use crate::event::{Event, EventName};
use crate::projection::{Route, RowError, Source};
use crate::recorded_event::RecordedEvent;
use crate::upcast::Stored;

/// A reactor that is called on the event `E`; `#[on]` writes it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not react to `{E}`",
    label = "not taken by the reactor"
)]
pub trait CallOn<E: Event>: Reactor {
    /// What the call returns.
    type Output: Reacted + Send;

    /// From where the event is taken.
    fn source() -> Source<Self>;

    /// The keys for which it is called, each once: calls for one key go one after the other.
    ///
    /// # Errors
    ///
    /// When the event names no key.
    fn route(event: &E, recorded: &RecordedEvent) -> Result<Route<String>, RowError>;

    /// Does what is to be done. It may be called again for the same event, with the same
    /// [`idempotency_key`](EventContext::idempotency_key).
    fn call(event: &E, cx: &EventContext<Self>) -> impl Future<Output = Self::Output> + Send;

    /// Its entry in the reactor's list.
    #[doc(hidden)]
    fn reaction() -> Reaction<Self> {
        Reaction::of::<E>()
    }
}

/// What a call gives back.
pub(super) type Called = Result<Vec<ReactorCommand>, Box<dyn Error + Send + Sync>>;

/// An event that was read: where it goes, and what it has the reactor do.
pub(super) trait ReadEvent<R: Reactor>: Send + Sync {
    fn route(&self, recorded: &RecordedEvent) -> Result<Route<String>, RowError>;

    fn call<'a>(&'a self, cx: &'a EventContext<R>) -> BoxFuture<'a, Called>;
}

struct Read<E>(E);

impl<E: Event, R: CallOn<E>> ReadEvent<R> for Read<E> {
    fn route(&self, recorded: &RecordedEvent) -> Result<Route<String>, RowError> {
        <R as CallOn<E>>::route(&self.0, recorded)
    }

    fn call<'a>(&'a self, cx: &'a EventContext<R>) -> BoxFuture<'a, Called> {
        <R as CallOn<E>>::call(&self.0, cx).map(Reacted::into_commands).boxed()
    }
}

type ReadFn<R> = fn(Stored<'_>) -> Result<Box<dyn ReadEvent<R>>, DecodeError>;

/// One event of a reactor.
pub struct Reaction<R: Reactor> {
    pub(super) event: EventName,
    pub(super) source: Source<R>,
    pub(super) read: ReadFn<R>,
}

impl<R: Reactor> Reaction<R> {
    /// Reacts to the event `E`.
    pub fn of<E: Event>() -> Self
    where
        R: CallOn<E>,
    {
        Self {
            event: EventName::of::<E>(),
            source: <R as CallOn<E>>::source(),
            read: |stored| Ok(Box::new(Read(E::decode(stored)?))),
        }
    }

    /// The stored name of the event, and its earlier ones.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.event.name).chain(self.event.aliases.iter().copied())
    }

    /// Whether it takes what is stored under a name in a stream.
    pub fn takes(&self, recorded: &RecordedEvent) -> bool {
        self.source.category.is_none_or(|category| category == recorded.stream_id.category())
            && self.names().any(|name| name == recorded.event_type)
    }
}

impl<R: Reactor> fmt::Debug for Reaction<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reaction")
            .field("event", &self.event.name)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
