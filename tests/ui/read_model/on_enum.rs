use annals::prelude::*;

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "owners")]
enum Owner {
    One,
}

fn main() {}
