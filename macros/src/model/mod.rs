//! What the user wrote, as the later stages see it: no attribute and no token stream is left to be read.
//!
//! A model may hold mistakes; [`check`](crate::check) finds and mends them before [`expand`](crate::expand) prints.

pub(crate) mod aggregate;
pub(crate) mod aggregate_id;
pub(crate) mod command;
pub(crate) mod crate_path;
pub(crate) mod event;
pub(crate) mod handlers;
pub(crate) mod item;
pub(crate) mod serde;
pub(crate) mod upcast;

pub(crate) use crate::model::aggregate::Aggregate;
pub(crate) use crate::model::aggregate_id::AggregateId;
pub(crate) use crate::model::command::Command;
pub(crate) use crate::model::crate_path::CratePath;
pub(crate) use crate::model::event::Event;
pub(crate) use crate::model::handlers::Handlers;
pub(crate) use crate::model::item::Item;
pub(crate) use crate::model::serde::Serde;
