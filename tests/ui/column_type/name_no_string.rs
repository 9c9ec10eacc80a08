use annals::prelude::*;

#[derive(Debug, Clone, ColumnType)]
enum Status {
    #[column(name = open)]
    Open,
}

fn main() {}
