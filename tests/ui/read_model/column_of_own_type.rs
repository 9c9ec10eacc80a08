use annals::prelude::*;

#[derive(Debug, Clone)]
struct Address;

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "owners")]
struct Owner {
    #[read_model(key)]
    owner: String,
    address: Address,
}

fn main() {}
