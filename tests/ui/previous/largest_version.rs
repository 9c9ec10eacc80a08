use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "PriceSet", version = 4294967295, oldest = 4294967295)]
struct PriceSetV1 {
    price: f64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 4294967295, previous = PriceSetV1)]
struct PriceSet {
    cents: i64,
}

impl From<PriceSetV1> for PriceSet {
    fn from(old: PriceSetV1) -> Self {
        Self { cents: (old.price * 100.0) as i64 }
    }
}

fn main() {}
