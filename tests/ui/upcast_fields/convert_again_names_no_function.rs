use annals::prelude::*;
use serde::{Deserialize, Serialize};

const CENTS: i64 = 100;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 3)]
struct PriceSet {
    #[event(since = 2, convert_with = CENTS)]
    #[event(since = 3, convert_with = text)]
    price: String,
}

fn text(cents: i64) -> String {
    cents.to_string()
}

fn main() {}
