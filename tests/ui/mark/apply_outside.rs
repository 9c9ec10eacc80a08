use annals::prelude::*;

struct Account;

impl Account {
    #[apply]
    fn open(&self) {}
}

fn main() {}
