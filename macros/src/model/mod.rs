//! What the user wrote, as the later stages see it: no attribute and no token stream is left to be read.
//!
//! A model may hold mistakes; [`check`](crate::check) finds and mends them before [`expand`](crate::expand) prints.

pub(crate) mod aggregate;
pub(crate) mod aggregate_id;
pub(crate) mod column_type;
pub(crate) mod command;
pub(crate) mod crate_path;
pub(crate) mod event;
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
pub(crate) mod saga;
pub(crate) mod serde;
pub(crate) mod sql_projection;
pub(crate) mod upcast;

pub(crate) use crate::model::aggregate::Aggregate;
pub(crate) use crate::model::aggregate_id::AggregateId;
pub(crate) use crate::model::column_type::ColumnType;
pub(crate) use crate::model::command::Command;
pub(crate) use crate::model::crate_path::CratePath;
pub(crate) use crate::model::event::Event;
pub(crate) use crate::model::handlers::Handlers;
pub(crate) use crate::model::item::Item;
pub(crate) use crate::model::marked_impl::MarkedImpl;
pub(crate) use crate::model::process::Process;
pub(crate) use crate::model::process_manager::ProcessManager;
pub(crate) use crate::model::projection::Projection;
pub(crate) use crate::model::query::Query;
pub(crate) use crate::model::query_handler::QueryHandler;
pub(crate) use crate::model::reactor::Reactor;
pub(crate) use crate::model::read_model::ReadModel;
pub(crate) use crate::model::saga::Saga;
pub(crate) use crate::model::serde::Serde;
pub(crate) use crate::model::sql_projection::SqlProjection;
