use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Open {
    #[command(id)]
    account: String,
}

#[derive(Aggregate)]
#[aggregate(id = String, events(Opened))]
struct Account;

#[handlers]
impl Account {
    #[handle]
    fn open(_: &Context<Self>, _: Open) -> Opened {
        Opened
    }

    #[apply]
    fn opened(_: &Opened) -> Self {
        Self
    }
}

fn main() {}
