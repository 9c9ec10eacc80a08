use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

#[derive(Aggregate)]
#[aggregate(id = String, events(Opened))]
struct Account<T>(T);

#[handlers]
impl Account<u32> {
    #[apply]
    fn opened(_: &Opened) -> Self {
        Self(0)
    }
}

fn main() {}
