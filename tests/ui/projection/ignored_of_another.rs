use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened {
    owner: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Closed;

#[derive(Aggregate)]
#[aggregate(id = String, events(Opened, Closed))]
struct Account;

#[handlers]
impl Account {
    #[apply]
    fn opened(_: &Opened) -> Self {
        Self
    }

    #[apply]
    fn closed(&mut self, _: &Closed) {}
}

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "owners")]
struct Owner {
    #[read_model(key)]
    owner: String,
    accounts: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Foreign;

#[projection(exhaustive(Account), ignore(Closed, Foreign))]
impl Owner {
    #[on]
    fn opened(event: &Opened) -> Self {
        Self { owner: event.owner.clone(), accounts: 1 }
    }
}

fn main() {}
