use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Renamed<'a> {
    to: &'a str,
}

fn main() {}
