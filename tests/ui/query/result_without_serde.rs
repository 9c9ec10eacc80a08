use annals::prelude::*;
use serde::{Deserialize, Serialize};

struct Number;

#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = Number)]
struct Count {
    owner: String,
}

fn main() {}
