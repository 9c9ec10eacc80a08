use annals_postgres::sql_projection;

struct Audit<T>(T);

#[sql_projection(name = "audit")]
impl<T> Audit<T> {}

fn main() {}
