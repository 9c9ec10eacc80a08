//! What the macros write, run without a bus: folds and handlers called by their traits.

mod bank;
mod fold;
mod foreign;
mod hygiene;
mod ids;
mod options;
mod receivers;
mod returns;
mod services;
#[path = "../contract/shop.rs"]
mod shop;
mod state_machine;
