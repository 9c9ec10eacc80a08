use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

struct Bank;

struct Checkout;

#[saga(nmae = "checkout", data = Order)]
impl Checkout {
    #[step(undo = refnud)]
    fn charge(&self, _: Order) {}

    async fn refund(_: &Order) {}
}

fn main() {}
