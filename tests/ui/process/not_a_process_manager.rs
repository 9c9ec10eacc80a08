use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Ordered {
    order: String,
    product: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Shipping;

#[process]
impl Shipping {
    #[on(key = order)]
    fn ordered(_: &Ordered) -> Self {
        Self
    }
}

fn main() {}
