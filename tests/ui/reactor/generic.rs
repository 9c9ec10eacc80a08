use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Registered {
    address: String,
}

struct Welcome<T>(T);

#[reactor(name = "welcome")]
impl<T> Welcome<T> {
    #[on]
    async fn registered(_: &Registered) {}
}

fn main() {}
