use annals::prelude::*;
use serde::{Deserialize, Serialize};

fn cents(price: f64) -> f64 {
    price * 100.0
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Placed {
    order: String,
    #[event(since = 2, convert_with = cents)]
    price: i64,
}

fn main() {}
