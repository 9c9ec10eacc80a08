use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2, previous = Self)]
struct PriceSet {
    cents: i64,
}

fn main() {}
