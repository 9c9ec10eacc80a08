use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

struct Checkout;

#[saga(name = "checkout", data = Order)]
impl Checkout {
    #[step(undo = refund)]
    async fn charge(_: &mut Order) {}

    async fn refund(_: &Order) -> u64 {
        7
    }
}

fn main() {}
