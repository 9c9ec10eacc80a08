use annals::prelude::*;

#[derive(ReadModel)]
#[read_model(table = "owners")]
struct Owner {
    #[read_model(key)]
    owner: String,
    accounts: i64,
}

fn main() {}
