use annals::prelude::*;

#[derive(Debug, Clone, ColumnType)]
enum Status<const N: usize> {
    Open,
}

fn main() {}
