use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Ordered {
    order: String,
    product: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Ship(#[command(id)] String);

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Bill(#[command(id)] String);

#[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "shipping", id = String, sends(Ship, Bill))]
struct Shipping;

#[process]
impl Shipping {
    #[on(key = order)]
    fn ordered(event: &Ordered) -> (Self, Bill, Ship) {
        (Self, Bill(event.order.clone()), Ship(event.order.clone()))
    }
}

fn main() {}
