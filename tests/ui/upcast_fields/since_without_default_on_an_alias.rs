use annals::prelude::*;
use serde::{Deserialize, Serialize};

type Text = String;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Placed {
    order: String,
    #[event(since = 2)]
    currency: Text,
}

fn main() {}
