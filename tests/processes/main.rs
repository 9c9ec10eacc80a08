//! Processes, on each store: what the engine promises, whatever fails when.

mod begins;
mod causes;
mod commands;
mod crashes;
mod deadlines;
mod drops;
mod engines;
mod fulfilment;
mod limits;
mod measured;
mod parking;
mod refusals;
mod scene;
mod script;
#[path = "../contract/shop.rs"]
mod shop;
mod storm;
mod unwritable;
mod versions;
mod watched;
mod works;
