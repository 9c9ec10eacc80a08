use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct PriceSet {
    #[event(since = 2, convert_with = cents)]
    cents: i64,
}

#[derive(Debug)]
struct TooMuch;

fn cents(price: f64) -> Result<i64, TooMuch> {
    if price > 1e9 { Err(TooMuch) } else { Ok((price * 100.0) as i64) }
}

fn main() {}
