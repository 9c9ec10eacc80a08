use annals::prelude::*;
use serde::{Deserialize, Serialize};

fn free() -> u64 {
    0
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Placed {
    order: String,
    #[event(since = 2, default = free)]
    currency: String,
}

fn main() {}
