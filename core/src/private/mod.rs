//! What the macros' output names, in one place. Not part of the public interface.

mod assertions;
mod columns;
mod marks;
mod message;
mod optional;
mod probe;
mod processes;
mod reactors;
mod routes;
mod rows;
mod sagas;

pub use inventory;
pub use serde_json;

pub use self::assertions::{
    assert_listed_is_read, assert_new_command, assert_new_name, assert_not_optional, assert_oldest,
    assert_previous, assert_readable_from, assert_step, assert_steps,
};
pub use self::columns::{
    ColumnOf, JsonColumn, NoKeyColumn, column_of, in_column, no_column, row_of, text_of,
    text_variant, values_of,
};
pub use self::marks::{Converted, Fields, any_default, default_of, lift};
pub use self::optional::{MaybeOptional, Optionality, assert_optional};
pub use self::probe::{Probe, ProbeEq, ProbeNothing, ProbeShown, ShowDebug, ShowNothing, Shows};
pub use self::processes::{
    AnyCommand, IdOfProcess, IntoIds, ListedCommand, ListedIn, OwnProcess, ProcessContext,
    ProcessKey, RejectedReason, Shown, ShownAll, ShownName, SteeredBy, UpsertedProcess,
    own_process, own_process_from, route_by_id,
};
pub use self::reactors::{
    IntoTexts, KeyText, OneText, ReactorContext, SeveralTexts, keyed, route_by_stream,
    route_by_texts, text_of_key,
};
pub use self::routes::{
    AnyKey, FollowedBy, KeyOfRow, ListedBy, OwnStream, RecordedBy, own_from, route_by_field,
    route_each, row_without_key, source_from,
};
pub use self::rows::{
    AnyAnswer, CoveredBy, Covers, QueryData, QueryHandlerContext, RowContext, UpsertedRow,
    covers_all, is_of,
};
pub use self::sagas::{LastOfStep, StepData, StepServices};
pub use crate::aggregate::{Aggregate, Apply, Misfit, NextState, Nothing, SnapshotPolicy};
pub use crate::aggregate_id::{AggregateId, IdError, ToId};
pub use crate::codec::{DecodeError, EncodeError};
pub use crate::command::{Command, Decision, HandledBy, Targets};
pub use crate::context::{
    AppliedState, ApplyContext, Context, EventContext, HandledState, HandlerContext, Subject,
};
pub use crate::event::{Event, EventEnum, EventName, EventOf, IntoEvents, ReturnedEvents};
pub use crate::process::{
    CommandEnum, DeadlineMove, DeadlineName, IntoCommands, NextStep, Process, ProcessManager,
    React, Refused, Rejection, SentBy, SentCommand, Start, Step, Steps,
};
pub use crate::projection::{
    BareRow, ChangedInPlace, EventHandler, IntoKeys, IntoRow, On, OnError, Projection, Route,
    RowError, Source,
};
pub use crate::query::{Answer, HandledQuery, Query, QueryContext};
pub use crate::reactor::{CallOn, Reacted, Reaction, Reactor};
pub use crate::read_model::{
    Column, ColumnError, ColumnKind, ColumnType, Index, IntoColumn, KeyColumn, ModelKey, ReadModel,
    Row, Table, TableColumn, Test, UnindexedColumn, Value,
};
pub use crate::recorded_event::RecordedEvent;
pub use crate::registry::{
    AggregateRegistration, CommandRegistration, EventRegistration, ProcessRegistration,
    ProjectionRegistration, QueryRegistration, ReactorRegistration, SagaRegistration,
};
pub use crate::saga::{Saga, SagaStep, StepContext, StepOutcome};

pub use crate::shape::StateShape;
pub use crate::upcast::{Previous, Renamed, Stored, UpcastError};

use std::fmt::{self, Debug};
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Collects what stands for events of `A`.
pub fn collect<A: Aggregate>(events: impl IntoEvents<A>) -> Vec<A::Event> {
    crate::command::collect(events)
}

/// What an event enum does with an event inside.
///
/// All that the enum's derive writes of an event goes through here, at one place in the user's code: where a listed type is
/// no event, the compiler says so once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event",
    note = "derive it: `#[derive(Debug, Clone, Serialize, Deserialize, Event)]`"
)]
pub trait ListedEvent: Sized {
    /// How it is stored.
    const STORED: EventName;

    /// Copies it.
    #[must_use]
    fn copy(&self) -> Self;

    /// Shows it, as `#[derive(Debug)]` on its enum would.
    ///
    /// # Errors
    ///
    /// When the formatter fails.
    fn show(&self, variant: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Writes it.
    ///
    /// # Errors
    ///
    /// As [`Event::encode`].
    fn write(&self) -> Result<String, EncodeError>;

    /// Whether what is stored under `event_type` reads as it.
    fn is_stored_as(event_type: &str) -> bool;

    /// Reads it.
    ///
    /// # Errors
    ///
    /// As [`Event::decode`].
    fn read(stored: Stored<'_>) -> Result<Self, DecodeError>;
}

#[diagnostic::do_not_recommend]
impl<E: Event> ListedEvent for E {
    const STORED: EventName = EventName::of::<E>();

    #[inline]
    fn copy(&self) -> Self {
        self.clone()
    }

    fn show(&self, variant: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(variant).field(self).finish()
    }

    #[inline]
    fn write(&self) -> Result<String, EncodeError> {
        self.encode()
    }

    #[inline]
    fn is_stored_as(event_type: &str) -> bool {
        event_type == E::NAME || E::ALIASES.contains(&event_type)
    }

    #[inline]
    fn read(stored: Stored<'_>) -> Result<Self, DecodeError> {
        E::decode(stored)
    }
}

/// Passes on the stored name of an event that `A` lists.
pub const fn listed_name<A: Aggregate, E: EventOf<A>>(event: EventName) -> &'static str {
    event.name
}

/// Handlers, as far as they may return the event `E`: the derive asks it of those that are retired.
///
/// It is not the event of which something is asked: of that the compiler would only say what handlers return.
#[diagnostic::on_unimplemented(
    message = "`{E}` is retired: no handler may return it",
    label = "a retired event",
    note = "return the event that took its place, or take `retired` out of the `#[event(…)]` of `{E}`"
)]
pub trait MayReturn<E> {}

/// All handlers.
#[derive(Debug)]
pub enum Handlers {}

/// What the derives assume of an event that they have refused.
pub trait EventData: Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<E: Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static> EventData for E {}

/// What the derives assume of a command that they have refused.
pub trait CommandData: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<C: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> CommandData for C {}

/// What an id wraps.
#[diagnostic::on_unimplemented(
    message = "an id cannot wrap `{Self}`, which has no text",
    label = "lacks some of `Display`, `FromStr` and `Clone`",
    note = "an id wraps a `String`, a `Uuid`, an integer, or another type with `Display`, `FromStr` and `Clone`"
)]
pub trait IdText: Sized {
    /// Why a text is none.
    type Error: fmt::Display;

    /// Copies it.
    #[must_use]
    fn copy(&self) -> Self;

    /// Writes it as text.
    ///
    /// # Errors
    ///
    /// When the formatter fails.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Reads it from text.
    ///
    /// # Errors
    ///
    /// When the text is none.
    fn read(text: &str) -> Result<Self, Self::Error>;

    /// Reads the id that wraps it from text.
    ///
    /// # Errors
    ///
    /// When the text is none. The error says which.
    fn read_id<Id>(text: &str, wrap: fn(Self) -> Id) -> Result<Id, IdError>;
}

#[diagnostic::do_not_recommend]
impl<T: fmt::Display + FromStr<Err: fmt::Display> + Clone> IdText for T {
    type Error = T::Err;

    fn copy(&self) -> Self {
        self.clone()
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    fn read(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }

    fn read_id<Id>(text: &str, wrap: fn(Self) -> Id) -> Result<Id, IdError> {
        IdError::parse(text).map(wrap)
    }
}

/// A state that a snapshot can hold.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has `snapshot(…)`, but cannot be written and read back",
    label = "cannot be snapshotted",
    note = "derive `Serialize` and `Deserialize` on `{Self}`, or leave `snapshot(…)` out"
)]
pub trait SnapshotState: Sized {
    /// Writes the state.
    #[doc(hidden)]
    fn encode_state(&self, name: &'static str) -> Result<String, EncodeError>;

    /// Reads the state.
    #[doc(hidden)]
    fn decode_state(name: &'static str, json: &str) -> Result<Self, DecodeError>;

    /// Finds the shape of the state.
    #[doc(hidden)]
    fn state_shape() -> StateShape;
}

#[diagnostic::do_not_recommend]
impl<A: Serialize + DeserializeOwned> SnapshotState for A {
    fn encode_state(&self, name: &'static str) -> Result<String, EncodeError> {
        serde_json::to_string(self).map_err(|error| EncodeError::new(name, &error))
    }

    fn decode_state(name: &'static str, json: &str) -> Result<Self, DecodeError> {
        serde_json::from_str(json).map_err(|error| DecodeError::content(name, &error))
    }

    fn state_shape() -> StateShape {
        StateShape::of::<A>()
    }
}

/// The id of an aggregate whose `id` option is missing: it fits everything, so that one mistake stays one error.
#[derive(Debug, Clone)]
pub struct AnyId;

impl fmt::Display for AnyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any")
    }
}

impl FromStr for AnyId {
    type Err = std::convert::Infallible;

    fn from_str(_: &str) -> Result<Self, Self::Err> {
        Ok(Self)
    }
}

impl AggregateId for AnyId {}

/// A command that has its `#[command(id)]`. For one that lacks it the derive writes `Targets` for all ids.
pub trait HasId {}

#[diagnostic::do_not_recommend]
impl<C: Command + HasId> Targets<AnyId> for C {
    fn target(&self) -> &AnyId {
        &AnyId
    }
}

/// The events of an aggregate whose list is missing: any event is one, so that one mistake stays one error.
#[derive(Debug, Clone)]
pub enum AnyEvent {}

impl EventEnum for AnyEvent {
    const EVENTS: &'static [EventName] = &[];

    fn stored(&self) -> &'static EventName {
        match *self {}
    }

    fn encode(&self) -> Result<String, EncodeError> {
        match *self {}
    }

    fn decode(_: Stored<'_>) -> Option<Result<Self, DecodeError>> {
        None
    }
}

#[diagnostic::do_not_recommend]
impl<A: Aggregate<Event = AnyEvent>, E: Event> EventOf<A> for E {
    fn into_event(self) -> AnyEvent {
        unreachable!("bug in annals: an aggregate without events was compiled")
    }
}
