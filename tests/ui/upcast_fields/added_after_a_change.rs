use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 3)]
struct Placed {
    order: String,
    #[event(since = 2, renamed_from = "addr")]
    #[event(since = 3, default = "nowhere")]
    address: String,
}

fn main() {}
