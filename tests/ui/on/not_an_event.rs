use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Begun {
    owner: String,
}

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "owners")]
struct Owner {
    #[read_model(key)]
    owner: String,
    accounts: i64,
}

#[projection]
impl Owner {
    #[on(key = owner)]
    fn opened(event: &Begun) -> Self {
        Self { owner: event.owner.clone(), accounts: 1 }
    }
}

fn main() {}
