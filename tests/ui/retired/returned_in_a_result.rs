use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(retired)]
struct Opened;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Unlocked;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Open(#[command(id)] String);

#[derive(Debug, Aggregate)]
#[aggregate(id = String, events(Opened, Unlocked))]
struct Door;

#[handlers]
impl Door {
    #[handle]
    fn open(_: Open) -> Result<Opened, std::fmt::Error> {
        Ok(Opened)
    }

    #[apply]
    fn opened(_: &Opened) -> Self {
        Self
    }

    #[apply]
    fn unlocked(_: &Unlocked) -> Self {
        Self
    }
}

fn main() {}
