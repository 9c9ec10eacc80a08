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

impl From<PriceSetV1> for PriceSet {
    fn from(old: PriceSetV1) -> Self {
        Self { cents: (old.price * 100.0) as i64 }
    }
}

#[derive(Debug, Aggregate)]
#[aggregate(id = String, events(PriceSetV1, PriceSet))]
struct Product {
    cents: i64,
}

#[handlers]
impl Product {
    #[apply]
    fn set(event: &PriceSet) -> Self {
        Self { cents: event.cents }
    }

    #[apply]
    fn set_v1(event: &PriceSetV1) -> Self {
        Self { cents: event.price as i64 }
    }
}

fn main() {}
