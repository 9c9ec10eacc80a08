use annals::prelude::*;

struct Account;

#[handlers]
impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("account")
    }
}

fn main() {}
