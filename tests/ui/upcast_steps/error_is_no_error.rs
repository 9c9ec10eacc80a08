use annals::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2, upcast(from = 1, with = split))]
struct Registered {
    first_name: String,
}

#[derive(Debug)]
struct NoName;

fn split(old: Value) -> Result<Value, NoName> {
    if old.is_null() { Err(NoName) } else { Ok(old) }
}

fn main() {}
