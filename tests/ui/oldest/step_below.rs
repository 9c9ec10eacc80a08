use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 3, oldest = 2, upcast(from = 1), upcast(from = 2))]
struct Placed {
    order: String,
}

fn main() {}
