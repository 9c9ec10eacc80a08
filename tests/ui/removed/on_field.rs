use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 1)]
struct Placed {
    #[event(removed(since = 2, "coupon"))]
    order: String,
}

fn main() {}
