//! Process managers: what the derive and the attribute write, stepped by hand.

mod fulfilment;
pub mod run;
mod surroundings;
