use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct RateChanged {
    owner: String,
    rate: u64,
}

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "owners")]
struct Owner {
    #[read_model(key)]
    owner: String,
    #[read_model(index)]
    branch: String,
    accounts: i64,
}

#[projection]
impl Owner {
    #[on(key = owner, each(branch = owner))]
    fn changed(&mut self, _: &RateChanged) {}
}

fn main() {}
