use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2, upcast(from = 1), removed(since = 1, "coupon"))]
struct Placed {
    order: String,
}

fn main() {}
