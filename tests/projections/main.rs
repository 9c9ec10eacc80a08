//! Projections, on each store: what the engine promises, whatever fails when.

mod engine;
mod failures;
mod fold;
mod harness;
mod history;
mod inline;
mod inline_rows;
mod live;
mod models;
mod parking;
mod properties;
mod queries;
mod rebuild;
mod refusals;
mod releases;
mod retries;
mod send;
mod status;
mod stopped;
mod stores;
