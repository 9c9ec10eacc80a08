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
    async fn charge(_: &Order, _: &Bank, _: &StepContext, _: u64) {}
}

fn main() {}
