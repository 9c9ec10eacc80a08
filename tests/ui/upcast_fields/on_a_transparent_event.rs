use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2)]
#[serde(transparent)]
struct Placed {
    #[event(since = 2, default = 0)]
    cents: u64,
}

fn main() {}
