use annals::prelude::*;

#[derive(Debug, Query)]
#[query(result = u64)]
struct Count;

fn main() {}
