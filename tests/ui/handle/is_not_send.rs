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
    async fn open(_: Open) -> Opened {
        let not_sent = std::rc::Rc::new(());
        std::future::ready(()).await;
        drop(not_sent);
        Opened
    }
}

fn main() {}
