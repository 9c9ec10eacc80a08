use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(alias = "Begun", alias = "Begun")]
struct Opened;

fn main() {}
