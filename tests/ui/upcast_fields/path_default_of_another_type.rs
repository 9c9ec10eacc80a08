use annals::prelude::*;
use serde::{Deserialize, Serialize};

const FREE: u64 = 0;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Placed {
    order: String,
    #[event(since = 2, default = FREE)]
    currency: String,
}

fn main() {}
