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

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "owners")]
struct Owner {
    #[read_model(key)]
    owner: String,
    accounts: i64,
}

#[projection(batch = 500, inline)]
impl Owner {
    #[on]
    fn opened(_: &Opened, cx: &EventContext<Self>) -> Self {
        Self { owner: cx.key().clone(), accounts: 1 }
    }
}

fn main() {}
