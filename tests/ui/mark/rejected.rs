use annals::prelude::*;

struct Account;

impl Account {
    #[rejected]
    fn open(&self) {}
}

fn main() {}
