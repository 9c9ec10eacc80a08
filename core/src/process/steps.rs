//! The steps of a process: which events, refusals and deadlines it takes.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::{ProcessManager, Rejection, SentBy, Step};
use crate::aggregate::Misfit;
use crate::codec::DecodeError;
use crate::context::EventContext;
use crate::event::{Event, EventName};
use crate::projection::{Route, RowError, Source};
use crate::recorded_event::RecordedEvent;
use crate::upcast::Stored;

/// A process that reacts to the event `E`; `#[on]` writes it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not react to `{E}`",
    label = "not taken by the process"
)]
pub trait React<E: Event>: ProcessManager {
    /// From where the event is taken.
    fn source() -> Source<Self>;

    /// To which processes the event goes.
    ///
    /// # Errors
    ///
    /// When the event names no process.
    fn route(event: &E, recorded: &RecordedEvent) -> Result<Route<Self::Id>, RowError>;

    /// Takes the event; the state is `None` if the process never began, or is done.
    ///
    /// # Errors
    ///
    /// When the event begins a process that lives, or needs one that does not.
    fn step(state: Option<Self>, event: &E, cx: &EventContext<Self>) -> Result<Step<Self>, Misfit>;

    /// Adds it to the process's steps.
    #[doc(hidden)]
    fn listed(steps: Steps<Self>) -> Steps<Self> {
        steps.on::<E>()
    }
}

/// A process that takes the refusal of its command `C`; `#[rejected]` writes it.
pub trait Refused<C: SentBy<Self>>: ProcessManager {
    /// Takes the refusal. What it returns takes the place of the rest of the step's commands.
    ///
    /// # Errors
    ///
    /// When it needs a state and there is none: the step that sent the command began and ended the process.
    fn step(
        state: Option<Self>,
        command: &C,
        why: &Rejection,
        cx: &EventContext<Self>,
    ) -> Result<Step<Self>, Misfit>;

    /// Adds it to the process's steps.
    #[doc(hidden)]
    fn listed(steps: Steps<Self>) -> Steps<Self> {
        steps.rejected::<C>()
    }
}

/// An event that was read: where it goes, and what it does.
pub(super) trait ReadEvent<P: ProcessManager>: Send + Sync {
    fn route(&self, recorded: &RecordedEvent) -> Result<Route<P::Id>, RowError>;

    fn step(&self, state: Option<P>, cx: &EventContext<P>) -> Result<Step<P>, Misfit>;
}

struct Read<E>(E);

impl<E: Event, P: React<E>> ReadEvent<P> for Read<E> {
    fn route(&self, recorded: &RecordedEvent) -> Result<Route<P::Id>, RowError> {
        <P as React<E>>::route(&self.0, recorded)
    }

    fn step(&self, state: Option<P>, cx: &EventContext<P>) -> Result<Step<P>, Misfit> {
        <P as React<E>>::step(state, &self.0, cx)
    }
}

type ReadFn<P> = fn(Stored<'_>) -> Result<Box<dyn ReadEvent<P>>, DecodeError>;

type RefusedFn<P> = fn(
    Option<P>,
    &Value,
    &Rejection,
    &EventContext<P>,
) -> Result<Result<Step<P>, Misfit>, DecodeError>;

type DeadlineFn<P> = fn(Option<P>, &EventContext<P>) -> Result<Step<P>, Misfit>;

/// An event that a process reacts to.
pub struct EventStep<P: ProcessManager> {
    pub(super) event: EventName,
    pub(super) source: Source<P>,
    pub(super) read: ReadFn<P>,
}

impl<P: ProcessManager> EventStep<P> {
    /// The stored name of the event, and its earlier ones.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.event.name).chain(self.event.aliases.iter().copied())
    }

    pub(super) fn takes(&self, recorded: &RecordedEvent) -> bool {
        self.source.category.is_none_or(|category| category == recorded.stream_id.category())
            && self.names().any(|name| name == recorded.event_type)
    }
}

/// A command whose refusal a process takes.
pub struct RefusedStep<P: ProcessManager> {
    pub(super) command: &'static str,
    pub(super) step: RefusedFn<P>,
}

/// A deadline of a process.
pub struct DeadlineStep<P: ProcessManager> {
    pub(super) name: &'static str,
    pub(super) after: Option<Duration>,
    pub(super) step: DeadlineFn<P>,
}

/// All that a process takes.
pub struct Steps<P: ProcessManager> {
    pub(super) events: Vec<EventStep<P>>,
    pub(super) refused: Vec<RefusedStep<P>>,
    pub(super) deadlines: Vec<DeadlineStep<P>>,
}

impl<P: ProcessManager> Steps<P> {
    /// Takes nothing yet.
    pub const fn new() -> Self {
        Self { events: Vec::new(), refused: Vec::new(), deadlines: Vec::new() }
    }

    /// Takes the event `E`.
    #[must_use]
    pub fn on<E: Event>(mut self) -> Self
    where
        P: React<E>,
    {
        self.events.push(EventStep {
            event: EventName::of::<E>(),
            source: <P as React<E>>::source(),
            read: |stored| Ok(Box::new(Read(E::decode(stored)?))),
        });
        self
    }

    /// Takes the refusal of the command `C`.
    #[must_use]
    pub fn rejected<C: SentBy<P>>(mut self) -> Self
    where
        P: Refused<C>,
    {
        self.refused.push(RefusedStep {
            command: C::NAME,
            step: |state, content, why, cx| {
                let command = C::deserialize(content)
                    .map_err(|error: serde_json::Error| DecodeError::content(C::NAME, &error))?;
                Ok(<P as Refused<C>>::step(state, &command, why, cx))
            },
        });
        self
    }

    /// Has a deadline, which is set when the process begins if `after` says how long from then; otherwise a step sets it.
    #[must_use]
    pub fn deadline(
        mut self,
        name: &'static str,
        after: Option<Duration>,
        step: DeadlineFn<P>,
    ) -> Self {
        self.deadlines.push(DeadlineStep { name, after, step });
        self
    }
}

impl<P: ProcessManager> Default for Steps<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: ProcessManager> fmt::Debug for Steps<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events: Vec<_> = self.events.iter().map(|step| step.event.name).collect();
        let refused: Vec<_> = self.refused.iter().map(|step| step.command).collect();
        let deadlines: Vec<_> = self.deadlines.iter().map(|step| step.name).collect();
        f.debug_struct("Steps")
            .field("events", &events)
            .field("refused", &refused)
            .field("deadlines", &deadlines)
            .finish()
    }
}
