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
    fn registered(_: &Registered) -> Left {
        Left
    }
}

fn main() {}
