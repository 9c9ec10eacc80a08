use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

#[derive(Aggregate)]
#[aggregate(id = String, events(Opened), event_enum = Account)]
struct Account;

#[handlers]
impl Account {
    #[apply]
    fn opened(_: &Opened) -> Self {
        Self
    }
}

fn main() {}
