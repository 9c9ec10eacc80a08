use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Ordered {
    order: String,
    product: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Ship(#[command(id)] String);

#[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "shipping", id = String, sends(Ship))]
struct Shipping;

#[process]
impl Shipping {
    #[on(key = order)]
    fn ordered(event: &Ordered) -> (Self, Ship) {
        (Self, Ship(event.order.clone()))
    }

    #[rejected]
    fn not_shipped(self, why: &Rejection) -> Done<()> {
        let _ = why;
        Done(())
    }
}

fn main() {}
