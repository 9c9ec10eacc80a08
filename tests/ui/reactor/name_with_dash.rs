use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Registered {
    address: String,
}

struct Welcome;

#[reactor(name = "welcome-mail")]
impl Welcome {
    #[on]
    async fn registered(_: &Registered) {}
}

fn main() {}
