use annals::prelude::*;

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "")]
struct Owner {
    #[read_model(key)]
    owner: String,
}

fn main() {}
