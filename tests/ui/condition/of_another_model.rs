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

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "branches")]
struct Branch {
    #[read_model(key)]
    name: String,
}

impl Projection for Branch {
    const NAME: &'static str = "branches";

    fn handlers() -> Vec<annals::projection::EventHandler<Self>> {
        Vec::new()
    }
}

fn ask(models: &ReadModels) {
    let _ = models.query::<Branch>().filter(Owner::OWNER.eq("Ada"));
}

fn main() {}
