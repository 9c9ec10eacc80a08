use annals::prelude::*;

#[derive(Debug, Clone, ColumnType)]
enum Status {
    Open,
    #[column(name = "Open")]
    Reopened,
}

fn main() {}
