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
    async fn registered(event: &Registered) -> std::io::Result<usize> {
        Ok(event.address.len())
    }
}

fn main() {}
