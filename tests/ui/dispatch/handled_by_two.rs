use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Open(#[command(id)] String);

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
    fn open(_: Open) -> Opened {
        Opened
    }
}

#[derive(Aggregate)]
#[aggregate(id = String, events(Opened))]
struct Door;

#[handlers]
impl Door {
    #[apply]
    fn opened(_: &Opened) -> Self {
        Self
    }

    #[handle]
    fn open(_: Open) -> Opened {
        Opened
    }
}

fn main() {
    let bus = CommandBus::new(MemoryStore::new());
    let _ = async {
        let _ = bus.dispatch(Open("ada".into())).await;
    };
}
