use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Registered {
    address: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Left;

struct Welcome;

#[reactor(nmae = "welcome", start = now)]
impl Welcome {
    #[on(upsert)]
    async fn registered(&self, _: &Registered) {}

    #[on]
    async fn left(_: Left) -> u8 {
        7
    }
}

fn main() {}
