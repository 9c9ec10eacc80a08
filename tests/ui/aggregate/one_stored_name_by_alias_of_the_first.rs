use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(alias = "Opened")]
struct Begun;

#[derive(Aggregate)]
#[aggregate(id = String, events(Begun, Opened))]
struct Account;

#[handlers]
impl Account {
    #[apply]
    fn opened(_: &Opened) -> Self {
        Self
    }

    #[apply]
    fn begun(&mut self, _: &Begun) {}
}

fn main() {}
