use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 3, oldest = 2)]
struct Placed {
    order: String,
    #[event(since = 2, default = "EUR")]
    currency: String,
    #[event(since = 3)]
    coupon: Option<String>,
}

fn main() {}
