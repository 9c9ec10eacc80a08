use annals::prelude::*;

#[derive(Debug, Clone, ColumnType)]
#[column(name = "status")]
enum Status {
    Open,
}

fn main() {}
