use annals::Command;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(id)]
struct Open {
    account: String,
}

fn main() {}
