use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 4, oldest = 3)]
struct Placed {
    order: String,
    #[event(renamed_from = "addr")]
    address: String,
}

fn main() {}
