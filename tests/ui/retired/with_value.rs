use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(retired = true)]
struct Placed {
    order: String,
}

fn main() {}
