//! From tokens to the [`model`](crate::model): helper attributes by their tables, items by syn.
//!
//! It refuses what it cannot read; what can be read and is wrong all the same, [`check`](crate::check) refuses.

pub(crate) mod aggregate;
pub(crate) mod aggregate_id;
pub(crate) mod column_type;
pub(crate) mod command;
pub(crate) mod event;
pub(crate) mod handlers;
pub(crate) mod item;
pub(crate) mod listing;
pub(crate) mod mark;
pub(crate) mod marked_impl;
pub(crate) mod method;
pub(crate) mod options;
pub(crate) mod process;
pub(crate) mod process_manager;
pub(crate) mod projection;
pub(crate) mod query;
pub(crate) mod query_handler;
pub(crate) mod reactor;
pub(crate) mod read_model;
pub(crate) mod routing;
pub(crate) mod saga;
pub(crate) mod serde;
pub(crate) mod sql_projection;
pub(crate) mod upcast;
pub(crate) mod value;
