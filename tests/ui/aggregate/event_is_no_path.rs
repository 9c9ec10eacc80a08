use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Closed;

#[derive(Aggregate)]
#[aggregate(id = String, events((Opened, Closed)))]
struct Account;

fn main() {}
