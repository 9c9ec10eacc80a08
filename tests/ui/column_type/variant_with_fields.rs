use annals::prelude::*;

#[derive(Debug, Clone, ColumnType)]
enum Status {
    Open,
    Closed { by: String },
}

fn main() {}
