use annals::prelude::*;
use annals_postgres::RegisterSql;

struct Audit;

fn main() {
    let _ = ProjectionEngine::builder(MemoryStore::new()).register_sql::<Audit>();
}
