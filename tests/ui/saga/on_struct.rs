use annals::prelude::*;

#[saga(name = "checkout", data = u64)]
struct Checkout;

fn main() {}
