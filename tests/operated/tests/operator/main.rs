//! Each command, as the binary does it, on a real database and beside a program that runs what is looked after.

#[path = "../../guide.rs"]
mod guide;
#[path = "../../src/shelf.rs"]
mod shelf;

mod commands;
mod guides;
mod looked_at;
mod monitored;
mod parked;
mod processes;
mod program;
mod rebuilds;
mod sagas;
mod shards;
mod stopped;
mod verified;
