use annals::prelude::*;

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "owners")]
struct Owner {
    #[read_model(key, table = "owners")]
    owner: String,
}

fn main() {}
