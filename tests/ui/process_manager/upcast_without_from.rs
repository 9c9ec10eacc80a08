use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Ship(#[command(id)] String);

fn same(old: serde_json::Value) -> serde_json::Value {
    old
}

#[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "shipping", version = 2, id = String, sends(Ship), upcast(with = same))]
struct Shipping;

fn main() {}
