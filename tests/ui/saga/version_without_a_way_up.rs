use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

struct Bank;

struct Checkout;

#[saga(name = "checkout", data = Order, version = 2)]
impl Checkout {
    #[step]
    async fn charge(_: &Order) {}
}

fn main() {}
