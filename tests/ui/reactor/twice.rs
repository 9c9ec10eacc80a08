use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Registered {
    address: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Left;

struct Welcome;

#[reactor(name = "welcome")]
impl Welcome {
    #[on]
    async fn registered(_: &Registered) {}
}

#[reactor(name = "farewell")]
impl Welcome {
    #[on]
    async fn left(_: &Left) {}
}

fn main() {}
