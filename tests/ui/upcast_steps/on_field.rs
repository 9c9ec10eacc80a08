use annals::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

fn split(old: Value) -> Result<Value, UpcastError> {
    Ok(old)
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 1)]
struct Placed {
    #[event(upcast(from = 1, with = split))]
    order: String,
}

fn main() {}
