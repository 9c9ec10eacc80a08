use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "", version = 0, alais = "Begun")]
struct Opened {
    #[event(colour = 1)]
    by: String,
}

fn main() {}
