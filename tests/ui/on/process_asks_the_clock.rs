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
    fn ordered(event: &Ordered, cx: &EventContext<Self>) -> (Self, Option<Ship>) {
        let is_late = cx.now() > Timestamp::MIN;
        (Self, is_late.then(|| Ship(event.order.clone())))
    }
}

fn main() {}
