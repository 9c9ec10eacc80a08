use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Ship(#[command(id)] String);

#[derive(ProcessManager)]
#[process_manager(name = "shipping", id = String, sends(Ship))]
union Shipping {
    order: u64,
}

fn main() {}
