use annals::prelude::*;

struct Account;

impl Account {
    #[handle]
    fn open(&self) {}
}

fn main() {}
