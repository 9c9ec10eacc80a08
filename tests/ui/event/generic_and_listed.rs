use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Changed<T> {
    to: T,
}

#[derive(Aggregate)]
#[aggregate(id = String, events(Changed<u32> as Changed))]
struct Account;

#[handlers]
impl Account {
    #[apply]
    fn changed(_: &Changed<u32>) -> Self {
        Self
    }
}

fn main() {}
