use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Registered {
    address: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

#[derive(Aggregate)]
#[aggregate(id = String, events(Opened))]
struct Account;

#[handlers]
impl Account {
    #[apply]
    fn opened(_: &Opened) -> Self {
        Self
    }
}

struct Welcome;

#[reactor(name = "welcome")]
impl Welcome {
    #[on(from = Account)]
    async fn registered(_: &Registered) {}
}

fn main() {}
