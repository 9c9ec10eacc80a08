use annals::prelude::*;

#[projection]
struct Owner;

fn main() {}
