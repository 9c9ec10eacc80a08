use std::error::Error;

use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

struct Checkout;

#[saga(name = "checkout", data = Order)]
impl Checkout {
    #[step]
    async fn charge(_: &Order) -> Result<(), Box<dyn Error>> {
        Ok(())
    }
}

fn main() {}
