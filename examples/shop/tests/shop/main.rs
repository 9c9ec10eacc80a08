//! The shop as its clients meet it: over HTTP, on each store.

mod access;
mod connections;
mod openapi;
mod operation;
mod orders;
mod outages;
mod problems;
mod program;
mod requests;
mod scene;
mod schema;
mod shipping;
mod shutdown;
