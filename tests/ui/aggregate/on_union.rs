use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Aggregate)]
#[aggregate(id = String, events(Opened))]
union Account {
    number: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

fn main() {}
