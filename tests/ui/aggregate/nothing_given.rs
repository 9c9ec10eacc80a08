use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Open(#[command(id)] String);

#[derive(Aggregate)]
struct Account;

#[handlers]
impl Account {
    #[apply]
    fn opened(_: &Opened) -> Self {
        Self
    }

    #[handle]
    fn open(_: Open) -> Opened {
        Opened
    }
}

fn main() {}
