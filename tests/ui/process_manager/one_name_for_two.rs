use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Ship(#[command(id)] String);

mod parcels {
    use super::*;

    #[derive(Debug, Clone, Serialize, Deserialize, Command)]
    #[command(name = "ShipParcel")]
    pub struct Ship(#[command(id)] String);
}

#[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "shipping", id = String, sends(Ship, parcels::Ship))]
struct Shipping;

fn main() {}
