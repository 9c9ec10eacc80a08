use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Ship(#[command(id)] String);

#[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "shipping", version = 0, id = String, sends(Ship))]
struct Shipping;

fn main() {}
