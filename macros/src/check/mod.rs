//! Refuses what is wrong in a [`model`](crate::model), and mends it so that the rest can still be printed.
//!
//! It sees models only. What needs the types behind the names is left to the type checker, whose messages the traits of
//! annals word.

pub(crate) mod aggregate;
pub(crate) mod aggregate_id;
pub(crate) mod column_type;
pub(crate) mod command;
mod default;
pub(crate) mod event;
mod field_names;
pub(crate) mod handlers;
pub(crate) mod item;
pub(crate) mod listing;
pub(crate) mod marked_impl;
pub(crate) mod method;
pub(crate) mod process;
pub(crate) mod process_manager;
pub(crate) mod projection;
pub(crate) mod query;
pub(crate) mod query_handler;
pub(crate) mod reactor;
pub(crate) mod read_model;
pub(crate) mod routing;
pub(crate) mod saga;
pub(crate) mod sql_projection;
pub(crate) mod stored_name;
pub(crate) mod upcast;
pub(crate) mod upcast_steps;
