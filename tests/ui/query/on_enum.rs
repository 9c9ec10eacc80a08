use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = u64)]
enum Count {
    All,
}

fn main() {}
