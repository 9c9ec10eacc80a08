use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Placed {
    order: String,
    #[event(since = 2, default)]
    currency: String,
}

fn main() {}
