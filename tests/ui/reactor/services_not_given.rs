use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Registered {
    address: String,
}

struct Mailer;

impl Mailer {
    fn send(&self, _: &str) {}
}

struct Welcome;

#[reactor(name = "welcome")]
impl Welcome {
    #[on]
    async fn registered(event: &Registered, cx: &EventContext<Self>) {
        let mailer: &Mailer = cx.services();
        mailer.send(&event.address);
    }
}

fn main() {}
