use annals::prelude::*;
use serde::{Deserialize, Serialize};

struct Cents(i64);

const FREE: Cents = Cents(0);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 3)]
struct PriceSet {
    #[event(since = 2, default = FREE)]
    #[event(since = 3, convert_with = text)]
    price: String,
}

fn text(cents: i64) -> String {
    cents.to_string()
}

fn main() {}
