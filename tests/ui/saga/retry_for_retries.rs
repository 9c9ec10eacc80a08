use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

struct Checkout;

#[saga(name = "checkout", data = Order)]
impl Checkout {
    #[step(retry = 2)]
    async fn charge(_: &Order) {}
}

fn main() {}
