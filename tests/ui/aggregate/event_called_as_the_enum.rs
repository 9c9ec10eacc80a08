use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct AccountEvent;

#[derive(Aggregate)]
#[aggregate(id = String, events(AccountEvent))]
struct Account;

#[handlers]
impl Account {
    #[apply]
    fn opened(_: &AccountEvent) -> Self {
        Self
    }
}

fn main() {}
