//! Process managers: what the derive and the attribute write, stepped by hand.

mod fulfilment;
mod run;
mod surroundings;
