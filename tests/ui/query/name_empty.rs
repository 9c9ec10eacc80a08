use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = u64, name = "")]
struct Count {
    owner: String,
}

fn main() {}
