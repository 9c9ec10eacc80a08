//! The given-when-then harness: what it accepts, what it refuses, and what it says then.

#[path = "../contract/bank.rs"]
mod bank;
#[path = "../domain/fulfilment.rs"]
mod fulfilment;
#[path = "../contract/shop.rs"]
mod shop;

mod checks;
mod failure;
mod given;
mod instance;
mod orders;
mod probe;
mod process_failures;
mod process_states;
mod processes;
mod reactor_failures;
mod reactors;
mod sagas;
mod sequences;
mod stored;
mod then;
mod tracked;
