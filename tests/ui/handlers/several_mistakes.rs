use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Closed;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Open(#[command(id)] String);

#[derive(Aggregate)]
#[aggregate(id = String, events(Opened, Closed))]
struct Account;

#[handlers]
impl Account {
    #[apply]
    async fn opened(_: Opened) -> Self {
        Self
    }

    #[apply]
    fn closed(&self, _: &Closed) {}

    #[handle]
    fn open(&mut self, _: &Open) -> impl Sized {}

    #[handle(upserts)]
    fn close() -> Closed {
        Closed
    }
}

fn main() {}
