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
    fn registered(_: &Registered) -> impl Future<Output = ()> {
        std::future::ready(())
    }
}

fn main() {}
