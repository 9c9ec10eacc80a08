//! Reactors on both stores: calls at least once, in order for each key, and the commands that they return once.

mod drops;
mod mailer;
mod memory;
mod postgres;
mod rules;
mod shards;

#[path = "../contract/shop.rs"]
mod shop;
