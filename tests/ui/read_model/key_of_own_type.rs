use annals::prelude::*;

#[derive(Clone)]
struct Name;

#[derive(Clone, ReadModel)]
#[read_model(table = "owners")]
struct Owner {
    #[read_model(key)]
    owner: Name,
    accounts: i64,
}

fn main() {}
