use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Minted {
    #[event(since = 2, default = 18446744073709551615)]
    held: u128,
    #[event(since = 2, default = -9223372036854775809)]
    lost: i128,
}

fn main() {}
