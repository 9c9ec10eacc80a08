use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Ordered {
    order: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Paid {
    order: String,
}

struct Thanks;

#[reactor(name = "thanks")]
impl Thanks {
    #[on(key = order)]
    async fn ordered(_: &Ordered) {}
}

#[reactor(name = "more_thanks")]
impl Thanks {
    #[on(key = order)]
    async fn paid(_: &Paid) {}
}

fn main() {}
