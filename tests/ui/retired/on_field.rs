use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 1)]
struct Placed {
    #[event(retired)]
    order: String,
}

fn main() {}
