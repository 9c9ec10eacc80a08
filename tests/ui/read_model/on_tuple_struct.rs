use annals::prelude::*;

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "owners")]
struct Owner(String);

fn main() {}
