use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 1)]
struct Placed {
    order: String,
    #[event(convert_with = cents)]
    price: i64,
}

fn main() {}
