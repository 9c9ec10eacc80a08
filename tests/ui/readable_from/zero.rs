use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(readable_from = 0)]
struct Placed {
    order: String,
}

fn main() {}
