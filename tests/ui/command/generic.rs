use annals::Command;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Change<T> {
    #[command(id)]
    account: String,
    to: T,
}

fn main() {}
