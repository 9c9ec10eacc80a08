//! Processes, on each store: what the engine promises, whatever fails when.

mod begins;
mod causes;
mod commands;
mod deadlines;
mod drops;
mod parking;
mod refusals;
mod scene;
mod script;
mod works;
