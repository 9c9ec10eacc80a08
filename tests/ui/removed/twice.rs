use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 3, removed(since = 2, "size"), removed(since = 3, "size"))]
struct Placed {
    order: String,
}

fn main() {}
