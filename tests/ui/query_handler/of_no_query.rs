use annals::prelude::*;

struct Count {
    owner: String,
}

#[query_handler]
async fn count(query: Count) -> u64 {
    query.owner.len() as u64
}

fn main() {}
