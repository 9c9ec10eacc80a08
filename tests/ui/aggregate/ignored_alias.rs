use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(alias = "Opened")]
struct AccountOpened;

#[derive(Debug, Aggregate)]
#[aggregate(id = String, events(AccountOpened), ignore("InterestAccrued", "Opened"))]
struct Account;

#[handlers]
impl Account {
    #[apply]
    fn opened(_: &AccountOpened) -> Self {
        Self
    }
}

fn main() {}
