use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = u64)]
struct Count {
    owner: String,
}

fn ask(queries: &QueryBus) {
    let _ = queries.ask(Count { owner: "Ada".into() });
}

fn main() {}
