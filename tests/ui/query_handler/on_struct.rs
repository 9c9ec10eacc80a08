use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[query_handler]
#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = u64)]
struct Count {
    owner: String,
}

fn main() {}
