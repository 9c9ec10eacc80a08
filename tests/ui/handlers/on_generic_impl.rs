use annals::prelude::*;

struct Account<T>(T);

#[handlers]
impl<T> Account<T> {
    fn balance(&self) {}
}

fn main() {}
