use annals::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

fn split(old: Value) -> Result<Value, UpcastError> {
    Ok(old)
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 6, upcast(from = 2, with = split))]
struct Placed {
    order: String,
}

fn main() {}
