use annals::prelude::*;

#[derive(Debug, Clone, ColumnType)]
struct Status {
    open: bool,
}

fn main() {}
