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
    #[on(key = at)]
    async fn moved(_: &Moved) {}
}

fn main() {}
