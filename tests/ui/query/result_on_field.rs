use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Query)]
struct Count {
    #[query(result = u64)]
    owner: String,
}

fn main() {}
