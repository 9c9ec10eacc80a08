use annals::prelude::*;

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "owners")]
struct Owner {
    #[read_model(key)]
    owner: String,
    #[read_model(index)]
    accounts: i64,
    #[allow(dead_code)]
    balance: i64,
}

fn ask(models: &ReadModels) {
    let _ = models.query::<Owner>();
}

fn main() {}
