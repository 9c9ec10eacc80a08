use annals::prelude::*;

struct Checkout;

#[saga(name = "checkout", data = u64)]
impl Default for Checkout {
    fn default() -> Self {
        Self
    }
}

fn main() {}
