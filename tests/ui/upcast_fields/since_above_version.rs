use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2, upcast(from = 1))]
struct Placed {
    order: String,
    #[event(since = 3, default = "EUR")]
    currency: String,
}

fn main() {}
