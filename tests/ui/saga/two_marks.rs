use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

struct Bank;

struct Checkout;

#[saga(name = "checkout", data = Order, services = Bank)]
impl Checkout {
    #[step]
    #[step(retries = 2)]
    async fn charge(_: &mut Order) {}
}

fn main() {}
