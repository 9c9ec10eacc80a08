use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "PriceSet")]
struct PriceSetV1 {
    price: f64,
}

impl From<PriceSetV1> for PriceSet {
    fn from(old: PriceSetV1) -> Self {
        Self { cents: old.price as i64, currency: None }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 3, readable_from = 1, previous = PriceSetV1)]
struct PriceSet {
    cents: i64,
    #[event(since = 3)]
    currency: Option<String>,
}

fn main() {}
