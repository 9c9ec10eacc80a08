use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "PriceSet", previous = PriceSet)]
struct PriceSetV1 {
    price: f64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2, previous = PriceSetV1)]
struct PriceSet {
    cents: i64,
}

impl From<PriceSetV1> for PriceSet {
    fn from(old: PriceSetV1) -> Self {
        Self { cents: (old.price * 100.0) as i64 }
    }
}

impl From<PriceSet> for PriceSetV1 {
    fn from(new: PriceSet) -> Self {
        Self { price: new.cents as f64 / 100.0 }
    }
}

fn main() {}
