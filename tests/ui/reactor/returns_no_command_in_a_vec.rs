use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Registered {
    address: String,
}

struct Welcome;

#[reactor(name = "welcome")]
impl Welcome {
    #[on]
    fn registered(event: &Registered) -> Vec<String> {
        vec![event.address.clone()]
    }
}

fn main() {}
