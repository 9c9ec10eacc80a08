use annals::prelude::*;

#[reactor(name = "welcome")]
struct Welcome;

fn main() {}
