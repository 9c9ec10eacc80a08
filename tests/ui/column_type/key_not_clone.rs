use annals::prelude::*;

#[derive(Debug, ColumnType)]
enum Status {
    Open,
}

#[derive(ReadModel)]
#[read_model(table = "owners")]
struct Owner {
    #[read_model(key)]
    status: Status,
    accounts: i64,
}

impl Clone for Owner {
    fn clone(&self) -> Self {
        Self { status: Status::Open, accounts: self.accounts }
    }
}

fn main() {}
