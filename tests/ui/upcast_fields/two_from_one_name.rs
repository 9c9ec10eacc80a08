use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Registered {
    #[event(since = 2, renamed_from = "name")]
    first_name: String,
    #[event(since = 2, renamed_from = "name")]
    last_name: String,
}

fn main() {}
