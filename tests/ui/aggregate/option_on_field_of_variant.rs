use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

#[derive(Aggregate)]
#[aggregate(id = String, events(Opened))]
enum Account {
    Open {
        #[aggregate(category = "account")]
        owner: String,
    },
}

#[handlers]
impl Account {
    #[apply]
    fn opened(_: &Opened) -> Self {
        Self::Open { owner: String::new() }
    }
}

fn main() {}
