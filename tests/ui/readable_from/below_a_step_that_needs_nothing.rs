use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2, readable_from = 1, upcast(from = 1))]
struct Placed {
    order: String,
}

fn main() {}
