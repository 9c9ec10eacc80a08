use annals::prelude::*;

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "owners")]
struct Owner {
    #[read_model(key)]
    owner: String,
    #[read_model(json, index)]
    names: Vec<String>,
}

fn main() {}
