//! What a page of a few streams costs on PostgreSQL: the same however long the streams are, and however much was read before.

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

/// Halving 20,000 versions takes 15 looks at three or four blocks each; a page of 100 events lies in a few more.
const MOST_BLOCKS: u64 = 150;

#[tokio::test]
async fn a_page_of_a_long_stream_costs_the_same_everywhere() {
    let database = TestDatabase::create().await.unwrap();
    let store = PostgresStore::connect(database.url()).await.unwrap();
    store.migrate().await.unwrap();
    let event = |_| NewEvent::new(Uuid::now_v7(), "Counted", 1, Payload::new("{}"));
    for _ in 0..10 {
        let appends = [("long", 2_000), ("other", 1_000)].map(|(id, events)| {
            let events = (0..events).map(event).collect();
            Append::new(StreamId::new("subscribed", id), Expected::Any, events)
        });
        store.append(appends.into()).await.unwrap();
    }
    sqlx::query("ANALYZE annals.events").execute(store.pool()).await.unwrap();
    let head = store.head().await.unwrap().get();
    for plan in ["force_custom_plan", "force_generic_plan"] {
        for after in [0, head / 2, head - 1_500, head] {
            let (rows, blocks) = page(&store, plan, after, head).await;
            let expected = if after == head { 0.0 } else { 100.0 };
            assert!((rows - expected).abs() < f64::EPSILON, "{rows} rows after {after} of {head}");
            assert!(blocks <= MOST_BLOCKS, "{blocks} blocks after {after} of {head} by a {plan}");
        }
    }
}

/// How many rows a page of 100 has, and how many blocks of the database it took.
async fn page(store: &PostgresStore, plan: &str, after: u64, head: u64) -> (f64, u64) {
    let sql = include_str!("../../postgres/sql/log_by_stream.sql").replace("{schema}", "annals");
    let mut connection = store.pool().acquire().await.unwrap();
    let prepare = format!(
        "SET plan_cache_mode = {plan}; PREPARE page (bigint, bigint, bigint, text[]) AS {sql}"
    );
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.unwrap();
    let explain = format!(
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE page ({after}, {head}, 100, '{{subscribed-long}}')"
    );
    let row = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_one(&mut *connection).await.unwrap();
    sqlx::raw_sql("DEALLOCATE page").execute(&mut *connection).await.unwrap();
    let explained: serde_json::Value = serde_json::from_str(row.get_unchecked(0)).unwrap();
    let top = &explained[0]["Plan"];
    let blocks = |name: &str| top[name].as_u64().unwrap();
    // PostgreSQL 18 tells rows with a fraction.
    let rows = top["Actual Rows"].as_f64().unwrap();
    (rows, blocks("Shared Hit Blocks") + blocks("Shared Read Blocks"))
}
