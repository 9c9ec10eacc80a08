use annals_postgres::setup;

#[setup]
async fn tables() {}

fn main() {}
