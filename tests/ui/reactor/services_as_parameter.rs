use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Registered {
    address: String,
}

struct Welcome;

#[reactor(name = "welcome", services = String)]
impl Welcome {
    #[on]
    async fn registered(_: &Registered, _: &String) {}
}

fn main() {}
