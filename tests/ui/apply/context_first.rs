use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

#[derive(Aggregate)]
#[aggregate(id = String, events(Opened))]
struct Account;

#[handlers]
impl Account {
    #[apply]
    fn opened(_: &EventContext<Self>, _: &Opened) -> Self {
        Self
    }
}

fn main() {}
