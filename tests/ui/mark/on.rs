use annals::prelude::*;

struct Account;

impl Account {
    #[on]
    fn open(&self) {}
}

fn main() {}
