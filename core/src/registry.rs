//! What the program registers about itself while it is linked.
//!
//! The macros submit one entry for each event, aggregate and route; builders read them. Nothing here runs anything. With the
//! feature `schema`, which annals-testing turns on, the entries of events and commands know their shapes.

use std::any::{TypeId, type_name};
use std::sync::Arc;

#[cfg(feature = "schema")]
use serde_json::Value;

use crate::aggregate::{Aggregate, SnapshotPolicy};
use crate::bus::{Route, Services, SetupError};
#[cfg(feature = "schema")]
use crate::codec::DecodeError;
use crate::command::HandledBy;
use crate::event::{Event, EventEnum, EventName};
use crate::process::{AnyProcess, CommandEnum, Process, SentCommand, process};
use crate::projection::inline::{Inline, inline};
use crate::projection::{Projection, Projector, TableProjector};
use crate::query::{HandledQuery, QueryRoute};
use crate::reactor::{AnyReactor, Reactor, reactor};
use crate::shape::StateShape;
#[cfg(feature = "schema")]
use crate::shape::Traced;
#[cfg(feature = "schema")]
use crate::stream::StreamId;
#[cfg(feature = "schema")]
use crate::upcast::{Stored, UpcastError};

/// A type of event that the program links.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EventRegistration {
    /// How it is stored.
    pub event: EventName,
    /// Finds its shape.
    #[cfg(feature = "schema")]
    pub trace: fn() -> Traced,
    /// Reads it, and says only whether it can be read.
    #[cfg(feature = "schema")]
    pub read: fn(Stored<'_>) -> Result<(), DecodeError>,
    /// Reads it, and writes what it read.
    #[cfg(feature = "schema")]
    pub write_again: fn(Stored<'_>) -> Result<String, DecodeError>,
    /// Leads its JSON up from a version to the next.
    #[cfg(feature = "schema")]
    pub upcast: fn(u32, Value) -> Result<Value, UpcastError>,
}

impl EventRegistration {
    /// All events that the program links, in any order.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>.into_iter()
    }

    /// Makes the entry of an event.
    pub const fn of<E: Event>() -> Self {
        Self {
            event: EventName::of::<E>(),
            #[cfg(feature = "schema")]
            trace: schema::trace_event::<E>,
            #[cfg(feature = "schema")]
            read: schema::read_event::<E>,
            #[cfg(feature = "schema")]
            write_again: schema::write_event_again::<E>,
            #[cfg(feature = "schema")]
            upcast: E::upcast,
        }
    }
}

/// A type of aggregate that the program links.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AggregateRegistration {
    /// The first part of its streams' names.
    pub category: &'static str,
    /// Its events.
    pub events: &'static [EventName],
    /// Stored names of events in its streams that it passes over.
    pub ignored: &'static [&'static str],
    /// When its snapshots are taken, if it has any.
    pub snapshot: Option<SnapshotPolicy>,
    /// Finds the shape of its state in snapshots, if it has any.
    pub snapshot_shape: fn() -> Option<&'static StateShape>,
    /// The name of its Rust type, with its path.
    pub type_name: fn() -> &'static str,
    /// Its Rust type.
    pub type_id: fn() -> TypeId,
}

impl AggregateRegistration {
    /// All aggregates that the program links, in any order.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>.into_iter()
    }

    /// Makes the entry of an aggregate.
    pub const fn of<A: Aggregate>() -> Self {
        Self {
            category: A::CATEGORY,
            events: A::Event::EVENTS,
            ignored: A::IGNORED,
            snapshot: A::SNAPSHOT,
            snapshot_shape: A::snapshot_shape,
            type_name: type_name::<A>,
            type_id: TypeId::of::<A>,
        }
    }
}

/// A handler that the program links: a command by its name, and the aggregate that handles it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CommandRegistration {
    /// The name of the command.
    pub command: &'static str,
    /// The name of the command's Rust type, with its path.
    pub type_name: fn() -> &'static str,
    /// The command's Rust type.
    pub type_id: fn() -> TypeId,
    /// The name of the aggregate's Rust type, with its path.
    pub aggregate_name: fn() -> &'static str,
    /// The aggregate's Rust type.
    pub aggregate: fn() -> TypeId,
    /// Finds the command's shape.
    #[cfg(feature = "schema")]
    pub trace: fn() -> Traced,
    /// Reads the command, and says only whether it can be read.
    #[cfg(feature = "schema")]
    pub read: fn(&Value) -> Result<(), DecodeError>,
    /// Finds the stream of the aggregate that the command is for.
    #[cfg(feature = "schema")]
    pub target: fn(&Value) -> Result<StreamId, DecodeError>,
    pub(crate) route: Route,
}

impl CommandRegistration {
    /// All handlers that the program links, in any order.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>.into_iter()
    }

    /// Makes the entry of a handler.
    pub const fn of<A: Aggregate, C: HandledBy<A>>() -> Self {
        Self {
            command: C::NAME,
            type_name: type_name::<C>,
            type_id: TypeId::of::<C>,
            aggregate_name: type_name::<A>,
            aggregate: TypeId::of::<A>,
            #[cfg(feature = "schema")]
            trace: schema::trace_command::<C>,
            #[cfg(feature = "schema")]
            read: schema::read_command::<C>,
            #[cfg(feature = "schema")]
            target: schema::target::<A, C>,
            route: Route::of::<A, C>(),
        }
    }
}

/// Makes what keeps the rows of an inline projection.
type MakeInline = fn() -> Result<Arc<dyn Inline>, SetupError>;

/// A projection that the program links.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ProjectionRegistration {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: u32,
    /// The name of its table.
    pub table: &'static str,
    /// The name of its Rust type, with its path.
    pub type_name: fn() -> &'static str,
    /// Its Rust type.
    pub type_id: fn() -> TypeId,
    pub(crate) projector: fn() -> Arc<dyn Projector>,
    pub(crate) inline: Option<MakeInline>,
}

impl ProjectionRegistration {
    /// All projections that the program links, in any order.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>.into_iter()
    }

    /// Makes the entry of a projection.
    pub const fn of<P: Projection>() -> Self {
        Self {
            name: P::NAME,
            version: P::VERSION,
            table: P::TABLE.name,
            type_name: type_name::<P>,
            type_id: TypeId::of::<P>,
            projector: || Arc::new(TableProjector::<P>::new()),
            inline: if P::INLINE { Some(inline::<P>) } else { None },
        }
    }
}

/// A handler of queries that the program links.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct QueryRegistration {
    /// The name of the query.
    pub query: &'static str,
    /// The name of the query's Rust type, with its path.
    pub type_name: fn() -> &'static str,
    /// The query's Rust type.
    pub type_id: fn() -> TypeId,
    pub(crate) route: QueryRoute,
}

impl QueryRegistration {
    /// All handlers of queries that the program links, in any order.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>.into_iter()
    }

    /// Makes the entry of a query.
    pub const fn of<Q: HandledQuery>() -> Self {
        Self {
            query: Q::NAME,
            type_name: type_name::<Q>,
            type_id: TypeId::of::<Q>,
            route: QueryRoute::of::<Q>(),
        }
    }
}

/// A process manager that the program links.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ProcessRegistration {
    /// Its name.
    pub name: &'static str,
    /// The version of its state.
    pub version: u32,
    /// The commands that it sends.
    pub commands: &'static [SentCommand],
    /// The names of its deadlines.
    pub deadlines: fn() -> Vec<&'static str>,
    /// The name of its Rust type, with its path.
    pub type_name: fn() -> &'static str,
    /// Its Rust type.
    pub type_id: fn() -> TypeId,
    pub(crate) process: fn() -> Arc<dyn AnyProcess>,
}

impl ProcessRegistration {
    /// All process managers that the program links, in any order.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>.into_iter()
    }

    /// Makes the entry of a process manager.
    pub const fn of<P: Process>() -> Self {
        Self {
            name: P::NAME,
            version: P::VERSION,
            commands: P::Command::COMMANDS,
            deadlines: || process::<P>().deadlines().into_iter().map(|(name, _)| name).collect(),
            type_name: type_name::<P>,
            type_id: TypeId::of::<P>,
            process: process::<P>,
        }
    }
}

/// Makes a reactor of the services that were given for it; `None` if there are none.
type MakeReactor = fn(&Services) -> Option<Arc<dyn AnyReactor>>;

/// A reactor that the program links.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ReactorRegistration {
    /// Its name.
    pub name: &'static str,
    /// The name of its Rust type, with its path.
    pub type_name: fn() -> &'static str,
    /// Its Rust type.
    pub type_id: fn() -> TypeId,
    pub(crate) reactor: MakeReactor,
}

impl ReactorRegistration {
    /// All reactors that the program links, in any order.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>.into_iter()
    }

    /// Makes the entry of a reactor.
    pub const fn of<R: Reactor>() -> Self {
        Self {
            name: R::NAME,
            type_name: type_name::<R>,
            type_id: TypeId::of::<R>,
            reactor: |services| services.of(TypeId::of::<R>()).map(reactor::<R>),
        }
    }
}

inventory::collect!(ReactorRegistration);
inventory::collect!(ProcessRegistration);
inventory::collect!(ProjectionRegistration);
inventory::collect!(QueryRegistration);
inventory::collect!(EventRegistration);
inventory::collect!(AggregateRegistration);
inventory::collect!(CommandRegistration);

/// What the schema test asks of events and commands.
#[cfg(feature = "schema")]
mod schema {
    use serde_json::Value;

    use crate::aggregate::Aggregate;
    use crate::codec::DecodeError;
    use crate::command::{Command, HandledBy};
    use crate::event::Event;
    use crate::shape::Traced;
    use crate::stream::StreamId;
    use crate::upcast::Stored;

    pub(super) fn trace_event<E: Event>() -> Traced {
        Traced::checked_by::<E>(|sample| {
            E::decode(Stored::new(E::NAME, E::VERSION, sample)).is_ok()
        })
    }

    pub(super) fn read_event<E: Event>(stored: Stored<'_>) -> Result<(), DecodeError> {
        E::decode(stored).map(drop)
    }

    pub(super) fn write_event_again<E: Event>(stored: Stored<'_>) -> Result<String, DecodeError> {
        E::decode(stored)?.encode().map_err(|error| DecodeError::content(E::NAME, &error))
    }

    pub(super) fn trace_command<C: Command>() -> Traced {
        Traced::checked_by::<C>(|sample| {
            serde_json::from_str(sample).is_ok_and(|content| read_command::<C>(&content).is_ok())
        })
    }

    pub(super) fn read_command<C: Command>(content: &Value) -> Result<(), DecodeError> {
        C::deserialize(content)
            .map(drop)
            .map_err(|error: serde_json::Error| DecodeError::content(C::NAME, &error))
    }

    pub(super) fn target<A: Aggregate, C: HandledBy<A>>(
        content: &Value,
    ) -> Result<StreamId, DecodeError> {
        C::deserialize(content)
            .map(|command| StreamId::of::<A>(command.target()))
            .map_err(|error: serde_json::Error| DecodeError::content(C::NAME, &error))
    }
}
