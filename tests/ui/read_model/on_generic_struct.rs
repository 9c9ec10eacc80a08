use annals::prelude::*;

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "owners")]
struct Owner<T> {
    #[read_model(key)]
    owner: T,
}

fn main() {}
