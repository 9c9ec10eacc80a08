use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Ship(#[command(id)] String);

#[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "shipping", id = String, sends(Ship))]
struct Shipping;

impl Shipping {
    #[deadline(name = "too_slow")]
    fn too_slow(self) -> Done<()> {
        Done(())
    }
}

fn main() {}
