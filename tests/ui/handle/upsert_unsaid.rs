use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Restocked;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Restock {
    #[command(id)]
    stock: String,
}

#[derive(Aggregate)]
#[aggregate(id = String, events(Restocked))]
struct Stock;

#[handlers]
impl Stock {
    #[handle]
    fn restock(_: Option<&Self>, _: Restock) -> Restocked {
        Restocked
    }

    #[apply]
    fn restocked(_: &Restocked) -> Self {
        Self
    }
}

fn main() {}
