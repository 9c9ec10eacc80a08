//! Handlers of commands that the program links.

use std::any::{TypeId, type_name};

#[cfg(feature = "schema")]
use serde_json::Value;

#[cfg(feature = "schema")]
use super::schema;
use crate::aggregate::Aggregate;
use crate::bus::Route;
#[cfg(feature = "schema")]
use crate::codec::DecodeError;
use crate::command::HandledBy;
#[cfg(feature = "schema")]
use crate::shape::Traced;
#[cfg(feature = "schema")]
use crate::stream::StreamId;

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

inventory::collect!(CommandRegistration);
