use annals::Command;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Open {
    #[command(id, id)]
    account: String,
}

fn main() {}
