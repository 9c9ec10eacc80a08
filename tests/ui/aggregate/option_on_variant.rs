use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

#[derive(Aggregate)]
#[aggregate(id = String, events(Opened))]
enum Account {
    #[aggregate(category = "account")]
    Open,
}

#[handlers]
impl Account {
    #[apply]
    fn opened(_: &Opened) -> Self {
        Self::Open
    }
}

fn main() {}
