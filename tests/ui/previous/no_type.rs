use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2, previous = "PriceSetV1")]
struct Placed {
    order: String,
}

fn main() {}
