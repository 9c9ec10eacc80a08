use annals::prelude::*;

#[handlers]
struct Account;

fn main() {}
