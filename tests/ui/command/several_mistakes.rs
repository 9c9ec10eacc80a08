use annals::Command;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(nmae = "Open", crate = "annals")]
struct Open {
    #[command(id, name = "account")]
    account: String,
    #[command(id)]
    owner: String,
}

fn main() {}
