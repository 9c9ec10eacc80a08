use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Ordered {
    order: String,
    product: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Paid {
    order: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Ship(#[command(id)] String);

#[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "shipping", id = String, sends(Ship))]
struct Shipping;

#[process]
impl Shipping {
    #[on(key = order)]
    fn ordered(_: &Ordered) -> Self {
        Self
    }
}

#[process]
impl Shipping {
    #[on(key = order, upsert)]
    fn paid(_: Option<Self>, event: &Paid) -> Done<Ship> {
        Done(Ship(event.order.clone()))
    }
}

fn main() {}
