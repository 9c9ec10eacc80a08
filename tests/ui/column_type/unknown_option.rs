use annals::prelude::*;

#[derive(Debug, Clone, ColumnType)]
enum Status {
    #[column(nmae = "open")]
    Open,
}

fn main() {}
