use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 3)]
struct PriceSet {
    #[event(since = 2, convert_with = cents)]
    #[event(since = 3, convert_with = text)]
    price: String,
}

#[derive(Debug)]
struct TooMuch;

fn cents(price: f64) -> Result<i64, TooMuch> {
    if price > 1e9 { Err(TooMuch) } else { Ok((price * 100.0) as i64) }
}

fn text(cents: i64) -> String {
    cents.to_string()
}

fn main() {}
