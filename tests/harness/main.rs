//! The given-when-then harness: what it accepts, what it refuses, and what it says then.

#[path = "../contract/bank.rs"]
mod bank;
#[path = "../contract/shop.rs"]
mod shop;

mod checks;
mod failure;
mod given;
mod orders;
mod reactor_failures;
mod reactors;
mod sequences;
mod stored;
mod then;
