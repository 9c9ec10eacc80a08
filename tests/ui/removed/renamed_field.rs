use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2, removed(since = 2, "voucher"))]
struct Placed {
    #[event(since = 2, renamed_from = "voucher")]
    coupon: Option<String>,
}

fn main() {}
