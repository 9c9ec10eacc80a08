use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Open(#[command(id)] String);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Closed;

#[derive(Aggregate)]
#[aggregate(id = String, events(Opened))]
struct Account;

#[handlers]
impl Account {
    #[apply]
    fn opened(_: &Opened) -> Self {
        Self
    }

    #[handle]
    fn open(_: Open) -> Closed {
        Closed
    }
}

fn main() {}
