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

#[derive(Debug)]
struct TooMuch;

impl TryFrom<PriceSetV1> for PriceSet {
    type Error = TooMuch;

    fn try_from(old: PriceSetV1) -> Result<Self, TooMuch> {
        if old.price > 1e9 { Err(TooMuch) } else { Ok(Self { cents: (old.price * 100.0) as i64 }) }
    }
}

fn main() {}
