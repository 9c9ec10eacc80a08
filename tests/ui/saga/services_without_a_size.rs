use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

trait Gateway: Send + Sync {}

struct Checkout;

#[saga(name = "checkout", data = Order, services = dyn Gateway)]
impl Checkout {
    #[step(undo = refund)]
    async fn charge(_: &mut Order, _: &dyn Gateway) {}

    async fn refund(_: &Order) {}
}

fn main() {}
