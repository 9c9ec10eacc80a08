use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = u64)]
struct Count {
    owner: String,
}

#[query_handler]
async fn count(query: Count, _: &QueryContext, _: u32) -> u64 {
    query.owner.len() as u64
}

fn main() {}
