use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Closed;

#[derive(Aggregate)]
#[aggregate(
    events(Opened, Closed, Opened),
    category = "bank-account",
    snapshot(every = 0, when = 3),
    services = "rates",
    event_enums = Events
)]
struct Account;

#[handlers]
impl Account {
    #[apply]
    fn opened(_: &Opened) -> Self {
        Self
    }
}

fn main() {}
