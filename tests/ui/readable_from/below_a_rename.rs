use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2, readable_from = 1)]
struct Placed {
    #[event(since = 2, renamed_from = "nr")]
    order: String,
}

fn main() {}
