use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2, readable_from = 1)]
#[serde(deny_unknown_fields)]
struct Placed {
    order: String,
    #[event(since = 2)]
    coupon: Option<String>,
}

fn main() {}
