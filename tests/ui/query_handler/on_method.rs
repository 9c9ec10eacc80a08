use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = u64)]
struct Count {
    owner: String,
}

struct Counter;

impl Counter {
    #[query_handler]
    fn count(&self, query: Count) -> u64 {
        query.owner.len() as u64
    }
}

fn main() {}
