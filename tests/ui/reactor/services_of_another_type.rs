use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Registered {
    address: String,
}

struct Mailer;

struct Search;

impl Search {
    fn index(&self, _: &str) {}
}

struct Welcome;

#[reactor(name = "welcome", services = Mailer)]
impl Welcome {
    #[on]
    async fn registered(event: &Registered, cx: &EventContext<Self>) {
        cx.services().index(&event.address);
    }
}

fn main() {}
