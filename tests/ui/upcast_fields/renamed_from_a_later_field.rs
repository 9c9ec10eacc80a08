use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Moved {
    #[event(since = 2, renamed_from = "top")]
    left: u32,
    top: u32,
}

fn main() {}
