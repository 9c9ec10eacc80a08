use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 3, readable_from = 1, removed(since = 2, "size"))]
struct Placed {
    order: String,
    #[event(since = 3)]
    coupon: Option<String>,
}

fn main() {}
