use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2, removed(since = 2, "coupon"))]
struct Placed(u64);

fn main() {}
