use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "PriceSet")]
struct PriceSetV1 {
    price: f64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2, previous = PriceSetV1)]
struct PriceSet {
    cents: i64,
}

fn main() {}
