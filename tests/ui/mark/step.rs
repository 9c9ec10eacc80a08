use annals::prelude::*;

struct Account;

impl Account {
    #[step]
    fn open(&self) {}
}

fn main() {}
