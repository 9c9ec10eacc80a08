use annals_postgres::sql_projection;

#[sql_projection(name = "audit")]
struct Audit;

fn main() {}
