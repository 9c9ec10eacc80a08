use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 3, upcast(from = 1), removed(since = 3, "size", "size"))]
struct Placed {
    order: String,
}

fn main() {}
