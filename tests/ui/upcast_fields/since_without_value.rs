use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Placed {
    order: String,
    #[event(since, default = "EUR")]
    currency: String,
}

fn main() {}
