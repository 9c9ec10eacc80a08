//! What the macros write, run without a bus: folds and handlers called by their traits.

mod accounts;
#[path = "../contract/bank.rs"]
mod bank;
mod fold;
mod foreign;
#[path = "../domain/fulfilment.rs"]
mod fulfilment;
mod hygiene;
mod ids;
mod options;
mod processes;
mod reactors;
mod receivers;
mod returns;
mod rows;
mod services;
#[path = "../contract/shop.rs"]
mod shop;
mod state_machine;
