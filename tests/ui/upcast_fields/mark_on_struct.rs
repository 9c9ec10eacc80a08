use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2, since = 2, default = 0)]
struct Placed {
    order: String,
}

fn main() {}
