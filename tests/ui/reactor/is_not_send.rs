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
    async fn registered(_: &Registered) {
        let not_sent = std::rc::Rc::new(());
        std::future::ready(()).await;
        drop(not_sent);
    }
}

fn main() {}
