use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Ordered {
    order: String,
}

struct Thanks;

#[reactor(name = "thanks")]
impl Thanks {
    #[on(key = order)]
    async fn ordered(_: &Ordered, cx: &EventContext<Self>) {
        let _ = cx.now();
    }
}

fn main() {}
