use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Query)]
#[query(reslut = u64)]
struct Count {
    owner: String,
}

fn main() {}
