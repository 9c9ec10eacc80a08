use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(alias = "Started")]
struct Opened;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(alias = "Started")]
struct Begun;

#[derive(Aggregate)]
#[aggregate(id = String, events(Opened, Begun))]
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
