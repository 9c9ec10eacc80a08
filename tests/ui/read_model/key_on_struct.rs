use annals::prelude::*;

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "owners", key)]
struct Owner {
    owner: String,
}

fn main() {}
