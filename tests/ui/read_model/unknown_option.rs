use annals::prelude::*;

#[derive(Debug, Clone, ReadModel)]
#[read_model(tabel = "owners")]
struct Owner {
    #[read_model(key)]
    owner: String,
}

fn main() {}
