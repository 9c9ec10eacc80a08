use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2)]
#[serde(rename_all = "camelCase")]
struct Placed {
    order: String,
    #[event(since = 2, renamed_from = "shipTo")]
    ship_to: String,
}

fn main() {}
