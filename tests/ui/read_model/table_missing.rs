use annals::prelude::*;

#[derive(Debug, Clone, ReadModel)]
struct Owner {
    #[read_model(key)]
    owner: String,
}

fn main() {}
