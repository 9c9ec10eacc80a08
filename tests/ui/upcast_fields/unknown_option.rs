use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Placed {
    #[event(since = 2, defualt = "EUR")]
    currency: String,
    #[event(since = 2, colour = "red")]
    coupon: Option<String>,
}

fn main() {}
