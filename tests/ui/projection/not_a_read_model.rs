use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened {
    owner: String,
}

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

struct Owner;

#[projection]
impl Owner {
    #[on]
    fn opened(&mut self, _: &Opened) {}
}

fn main() {}
