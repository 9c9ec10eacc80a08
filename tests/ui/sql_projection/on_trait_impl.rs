use annals_postgres::sql_projection;

struct Audit;

#[sql_projection(name = "audit")]
impl Clone for Audit {
    fn clone(&self) -> Self {
        Self
    }
}

fn main() {}
