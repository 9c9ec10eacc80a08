use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(versoin = 2)]
struct OrderPlaced {
    #[event(since = 2)]
    coupon: Option<String>,
}

fn main() {}
