use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = u64)]
struct Count {
    owner: String,
}

#[query_handler]
async fn count<Q: Query>(_: Q) -> u64 {
    0
}

fn main() {}
