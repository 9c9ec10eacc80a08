use annals::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

fn split(old: Value) -> Result<Value, UpcastError> {
    Ok(old)
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 3, upcast(from = 3, with = split), upcast(from = 7), removed(since = 1, "coupon"))]
struct Placed {
    #[event(since = 4)]
    order: Option<String>,
    #[event(renamed_from = "addr")]
    address: String,
}

fn main() {}
