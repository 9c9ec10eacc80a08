//! Who has written rows, in which epoch of the lease, as the server saw it.

use std::time::{Duration, Instant};

use annals_postgres::PostgresStore;
use sqlx::Executor;

use crate::stores::PATIENCE;

/// Has the server write down who changes rows of the items.
pub async fn begin(store: &PostgresStore) {
    store.pool().execute(include_str!("audit.sql")).await.expect("triggers can be made");
}

/// The address by which one is known to the audit.
pub fn named(url: &str, name: &str) -> String {
    format!("{url}&application_name={name}")
}

/// Who wrote last, and how often anybody wrote.
pub async fn last(store: &PostgresStore) -> (String, i64) {
    let last = sqlx::query_as("SELECT writer, number FROM audit ORDER BY number DESC LIMIT 1");
    let last = last.fetch_optional(store.pool()).await.expect("the audit is read");
    last.unwrap_or_default()
}

/// Waits until somebody writes of whom it is asked.
pub async fn wait_for_writer(
    store: &PostgresStore,
    is_asked: impl Fn(&str) -> bool,
) -> Result<String, String> {
    let (until, (_, before)) = (Instant::now() + PATIENCE, last(store).await);
    loop {
        let (writer, number) = last(store).await;
        if number > before && is_asked(&writer) {
            return Ok(writer);
        }
        if Instant::now() > until {
            return Err(format!("nobody took over; the last to write was `{writer}`"));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Says in which epochs more than one wrote, or one who was not its owner any more.
pub async fn judged(store: &PostgresStore) -> Result<(), String> {
    let found: Vec<(i64, Vec<String>)> = sqlx::query_as(
        "SELECT epoch, array_agg(DISTINCT writer ORDER BY writer) FROM audit
          GROUP BY epoch HAVING count(DISTINCT writer) > 1 ORDER BY epoch",
    )
    .fetch_all(store.pool())
    .await
    .expect("the audit is read");
    if found.is_empty() { Ok(()) } else { Err(format!("several wrote in one epoch: {found:?}")) }
}
