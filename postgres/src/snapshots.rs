//! The purge of snapshots: a few at a time, beside those who write.

use annals::StoreError;

use crate::append::{micros, unsigned};
use crate::database::{Database, Query};

/// How many snapshots one statement removes.
const AT_ONCE: i64 = 1_000;

const DOING: &str = "purge snapshots";

/// Removes what is not kept.
pub(crate) async fn purge(database: &Database) -> Result<u64, StoreError> {
    let statements = &database.statements;
    let versions = i64::from(database.snapshots.versions);
    let surplus = || statements.snapshots_surplus().bind(AT_ONCE).bind(versions);
    let mut purged = all(database, surplus).await?;
    if let Some(lifetime) = database.snapshots.lifetime {
        let old = || statements.snapshots_old().bind(AT_ONCE).bind(micros(lifetime));
        purged += all(database, old).await?;
    }
    Ok(purged)
}

/// Runs a statement until it finds less than it could remove.
async fn all<'q>(database: &Database, query: impl Fn() -> Query<'q>) -> Result<u64, StoreError> {
    let mut purged = 0;
    loop {
        let removed = database.execute(DOING, &query).await?;
        purged += removed;
        if removed < unsigned(AT_ONCE) {
            return Ok(purged);
        }
    }
}
