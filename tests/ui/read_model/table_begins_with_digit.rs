use annals::prelude::*;

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "2026_owners")]
struct Owner {
    #[read_model(key)]
    owner: String,
}

fn main() {}
