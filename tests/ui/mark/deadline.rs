use annals::prelude::*;

struct Account;

impl Account {
    #[deadline]
    fn open(&self) {}
}

fn main() {}
