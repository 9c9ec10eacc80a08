//! What the program registers about itself while it is linked.
//!
//! The macros submit one entry for each event, aggregate and route; builders read them. Nothing here runs anything.

use std::any::{TypeId, type_name};

use crate::aggregate::Aggregate;
use crate::bus::Route;
use crate::command::HandledBy;
use crate::event::{Event, EventEnum, EventName};

/// A type of event that the program links.
#[derive(Debug, Clone, Copy)]
pub struct EventRegistration(pub EventName);

impl EventRegistration {
    /// Makes the entry of an event.
    pub const fn of<E: Event>() -> Self {
        Self(EventName::of::<E>())
    }
}

/// A type of aggregate that the program links.
#[derive(Debug, Clone, Copy)]
pub struct AggregateRegistration {
    /// The first part of its streams' names.
    pub category: &'static str,
    /// Its events.
    pub events: &'static [EventName],
    /// The name of its Rust type, with its path.
    pub type_name: fn() -> &'static str,
    /// Its Rust type.
    pub type_id: fn() -> TypeId,
}

impl AggregateRegistration {
    /// Makes the entry of an aggregate.
    pub const fn of<A: Aggregate>() -> Self {
        Self {
            category: A::CATEGORY,
            events: A::Event::EVENTS,
            type_name: type_name::<A>,
            type_id: TypeId::of::<A>,
        }
    }
}

/// A handler that the program links: a command by its name, and the aggregate that handles it.
#[derive(Debug, Clone, Copy)]
pub struct CommandRegistration {
    /// The name of the command.
    pub command: &'static str,
    /// The name of the command's Rust type, with its path.
    pub type_name: fn() -> &'static str,
    /// The name of the aggregate's Rust type, with its path.
    pub aggregate_name: fn() -> &'static str,
    /// The aggregate's Rust type.
    pub aggregate: fn() -> TypeId,
    pub(crate) route: Route,
}

impl CommandRegistration {
    /// Makes the entry of a handler.
    pub const fn of<A: Aggregate, C: HandledBy<A>>() -> Self {
        Self {
            command: C::NAME,
            type_name: type_name::<C>,
            aggregate_name: type_name::<A>,
            aggregate: TypeId::of::<A>,
            route: Route::of::<A, C>(),
        }
    }
}

inventory::collect!(EventRegistration);
inventory::collect!(AggregateRegistration);
inventory::collect!(CommandRegistration);
