use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Placed {
    #[serde(flatten)]
    price: Price,
    #[event(since = 2)]
    coupon: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Price {
    cents: u64,
}

fn main() {}
