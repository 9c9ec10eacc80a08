use annals::Command;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(name = "")]
struct Open(#[command(id)] String);

fn main() {}
