use annals::prelude::*;

struct Checkout<T>(T);

#[saga(name = "checkout", data = u64)]
impl<T> Checkout<T> {
    #[step]
    async fn charge(_: &u64) {}
}

fn main() {}
