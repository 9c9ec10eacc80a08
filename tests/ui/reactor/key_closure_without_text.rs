use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Registered {
    address: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Moved {
    at: std::time::Duration,
}

struct Welcome;

#[reactor(name = "welcome")]
impl Welcome {
    #[on(key = |event| event.address.bytes().len().checked_ilog2())]
    async fn registered(_: &Registered) {}

    #[on(key = |event| Some(event.at))]
    async fn moved(_: &Moved) {}
}

fn main() {}
