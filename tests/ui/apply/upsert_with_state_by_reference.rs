use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

#[derive(Aggregate)]
#[aggregate(id = String, events(Opened))]
struct Account;

#[handlers]
impl Account {
    #[apply(upsert)]
    fn opened(_: Option<&Self>, _: &Opened) -> Self {
        Self
    }
}

fn main() {}
