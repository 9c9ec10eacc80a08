use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

struct Bank;

struct Checkout;

#[saga(name = "shop/checkout", data = Order)]
impl Checkout {
    #[step(name = "charge/card")]
    async fn charge(_: &Order) {}
}

fn main() {}
