use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Restocked;

#[derive(Aggregate)]
#[aggregate(id = String, events(Restocked))]
struct Stock;

#[handlers]
impl Stock {
    #[apply]
    fn restocked(_: Option<Self>, _: &Restocked) -> Self {
        Self
    }
}

fn main() {}
