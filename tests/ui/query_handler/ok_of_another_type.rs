use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = u64)]
struct Count {
    owner: String,
}

#[query_handler]
async fn count(query: Count) -> Result<String, ReadModelError> {
    Ok(query.owner)
}

fn main() {}
