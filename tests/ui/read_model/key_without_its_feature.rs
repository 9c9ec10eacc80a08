use annals::prelude::*;

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "days")]
struct Day {
    #[read_model(key)]
    day: time::Date,
    accounts: i64,
}

fn main() {}
