use annals::prelude::*;

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "OwnerTotals")]
struct Owner {
    #[read_model(key)]
    owner: String,
}

fn main() {}
