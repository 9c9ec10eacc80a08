use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Placed {
    order: String,
    #[event(since = 2, renamed_from = "addr")]
    #[event(since = 2, convert_with = String::from)]
    address: String,
}

fn main() {}
