//! Aggregates: a state that is the fold of its stream's events.
//!
//! This module holds the traits that the macros implement; loading and folding streams is the
//! [`Repository`](crate::Repository)'s part.

use crate::aggregate_id::AggregateId;
use crate::codec::{DecodeError, EncodeError};
use crate::context::{EventContext, Subject};
use crate::event::{EventEnum, EventOf};
use crate::shape::StateShape;

/// A state that is the fold of the events of one stream.
///
/// `#[derive(Aggregate)]` writes this impl, with the event enum and its dispatch.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an aggregate",
    label = "not an aggregate",
    note = "derive it: `#[derive(Aggregate)] #[aggregate(id = …, events(…))]`"
)]
pub trait Aggregate:
    Subject<Key = <Self as Aggregate>::Id> + Send + Sync + Sized + 'static
{
    /// What tells one aggregate of this type from another.
    type Id: AggregateId;

    /// The enum of its events.
    type Event: EventEnum;

    /// What its handlers may ask: a clock of the trade, a price list, another service. `()` for nothing.
    type Services: Send + Sync + 'static;

    /// The first part of its streams' names, before the `-`. Contains no `-`.
    const CATEGORY: &'static str;

    /// When snapshots are taken, and of which version of the state; `None` for never.
    const SNAPSHOT: Option<SnapshotPolicy> = None;

    /// Stored names of events in its streams that it passes over.
    const IGNORED: &'static [&'static str] = &[];

    /// Whether any `#[apply]` takes the event's context. Where none does, a load reads no metadata.
    const TAKES_CONTEXT: bool = true;

    /// Applies one event to the state, which is `None` before the first.
    ///
    /// # Errors
    ///
    /// When the event does not fit the state: it creates what exists, or changes what does not.
    fn apply(
        state: &mut Option<Self>,
        event: &Self::Event,
        cx: &EventContext<Self>,
    ) -> Result<(), Misfit>;

    /// Writes the state for a snapshot as JSON text; `None` if the aggregate has no snapshots.
    fn encode_snapshot(&self) -> Option<Result<String, EncodeError>> {
        None
    }

    /// Reads a state from a snapshot's JSON text; `None` if the aggregate has no snapshots.
    fn decode_snapshot(json: &str) -> Option<Result<Self, DecodeError>> {
        let _ = json;
        None
    }

    /// The shape of the state in snapshots; `None` if it has none, or none is known.
    ///
    /// A snapshot of another shape counts as none, so that a version that somebody forgot to raise does no harm, where the
    /// change can be seen: inside of what is flattened, a `Value` or an untagged enum it cannot.
    ///
    /// To find it, the state is read from made-up values, once in a program, when a bus is built or at the first load. What
    /// panics then is caught and taken as unknown. With `panic = "abort"` nothing can be caught: there, a conversion in the
    /// state's `Deserialize` has to refuse what it cannot take by an error.
    fn snapshot_shape() -> Option<&'static StateShape> {
        None
    }

    /// Compares two states; `None` if the type has no equality. Test harnesses ask.
    fn same_state(&self, other: &Self) -> Option<bool> {
        let _ = other;
        None
    }

    /// Shows a state to a person; `None` if the type has no `Debug`. An operator's tools ask.
    fn shown(&self) -> Option<String> {
        None
    }
}

/// Applies one type of event to the state; `#[apply]` writes it.
#[diagnostic::on_unimplemented(
    message = "`{E}` is listed in the events of `{Self}`, but no method applies it",
    label = "no `#[apply]` takes `&{E}`",
    note = "write `#[apply] fn …(&mut self, event: &{E})` in a `#[handlers] impl {Self}`, without `&mut self` and with `-> Self` if the event creates it"
)]
pub trait Apply<E: EventOf<Self>>: Aggregate {
    /// Whether it takes the event's context.
    const TAKES_CONTEXT: bool = true;

    /// Applies `event` to the state.
    ///
    /// # Errors
    ///
    /// When the event does not fit the state.
    fn apply(state: &mut Option<Self>, event: &E, cx: &EventContext<Self>) -> Result<(), Misfit>;
}

/// What an `#[apply]` that takes no state or the state by value may return: `Self`, or `Option<Self>` where the
/// aggregate may end.
#[diagnostic::on_unimplemented(
    message = "an `#[apply]` gives back `Self`, or `Option<Self>` where the aggregate may end, not `{Self}`",
    label = "not the next state",
    note = "an apply cannot refuse: the event has happened; what may be refused, a `#[handle]` decides"
)]
pub trait NextState<A> {
    /// The state after the event.
    fn into_state(self) -> Option<A>;
}

impl<A> NextState<A> for A {
    fn into_state(self) -> Option<A> {
        Some(self)
    }
}

impl<A> NextState<A> for Option<A> {
    fn into_state(self) -> Option<A> {
        self
    }
}

/// What an `#[apply]` with `&mut self` returns: nothing.
#[diagnostic::on_unimplemented(
    message = "an `#[apply]` with `&mut self` returns nothing, not `{Self}`",
    label = "must be left out",
    note = "an apply cannot refuse: the event has happened; to give back the next state, take `self`"
)]
pub trait Nothing {
    /// Takes it, and does nothing.
    fn discard(self);
}

impl Nothing for () {
    fn discard(self) {}
}

/// Why an event or a command does not fit the state that it meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// It creates, but the state exists.
    Exists,
    /// It needs a state, but there is none.
    Missing,
}

/// When snapshots of an aggregate are taken.
///
/// ```
/// use annals::SnapshotPolicy;
///
/// let policy = SnapshotPolicy::every(100).with_version(2);
/// assert_eq!(policy.version(), 2);
/// assert!(policy.is_due(99, 101, ["MoneyDeposited"]));
/// assert!(!policy.is_due(100, 101, ["MoneyDeposited"]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotPolicy {
    every: Option<u64>,
    on: &'static [&'static str],
    version: u32,
}

impl SnapshotPolicy {
    /// Takes a snapshot whenever the stream's version passes a multiple of `events`; never for 0.
    pub const fn every(events: u64) -> Self {
        Self { every: if events == 0 { None } else { Some(events) }, on: &[], version: 1 }
    }

    /// Takes snapshots only when asked, by [`Repository::snapshot`](crate::Repository::snapshot).
    pub const fn on_demand() -> Self {
        Self { every: None, on: &[], version: 1 }
    }

    /// Also takes one after each event that is stored under one of these names.
    #[must_use]
    pub const fn with_events(mut self, names: &'static [&'static str]) -> Self {
        self.on = names;
        self
    }

    /// Sets the version of the state's shape: a snapshot of another version counts as none.
    #[must_use]
    pub const fn with_version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// The version of the state's shape.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Whether a snapshot is due after an append that led from one version to another with events of these names.
    pub fn is_due<'a>(
        &self,
        before: u64,
        after: u64,
        event_types: impl IntoIterator<Item = &'a str>,
    ) -> bool {
        let passed = self.every.is_some_and(|every| before / every < after / every);
        passed || event_types.into_iter().any(|name| self.on.contains(&name))
    }
}
