use annals::prelude::*;

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "Owners")]
struct Owner {
    #[read_model(kye)]
    owner: String,
    #[read_model(json, index)]
    names: Vec<String>,
}

fn main() {}
