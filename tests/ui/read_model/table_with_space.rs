use annals::prelude::*;

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "owner totals")]
struct Owner {
    #[read_model(key)]
    owner: String,
}

fn main() {}
