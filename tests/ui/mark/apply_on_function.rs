use annals::prelude::*;

#[apply]
fn opened() {}

fn main() {}
