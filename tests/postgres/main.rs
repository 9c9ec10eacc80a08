//! The store on PostgreSQL: the rules that every store keeps, and what only a server can show.

#[path = "../contract/bank.rs"]
mod bank;
#[path = "../postgres_storms/proxy.rs"]
#[expect(dead_code, reason = "storms cut otherwise")]
mod proxy;

mod asked;
mod backup;
mod connections;
mod interleaved;
mod limits;
mod locks;
mod order;
mod outages;
mod payloads;
mod poolers;
mod refused;
mod retries;
mod schema;
mod snapshots;
mod stand_by;
mod within;

use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A store in a database of its own, which is removed at the end.
async fn fresh() -> Result<(PostgresStore, TestDatabase), Error> {
    let database = TestDatabase::create().await?;
    let store = PostgresStore::connect(database.url()).await?;
    store.migrate().await?;
    Ok((store, database))
}

mod conformance {
    use super::fresh;

    annals_testing::conformance!(postgres, fresh);
}
