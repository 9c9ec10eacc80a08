//! What a page of a few streams costs on PostgreSQL: the same however long the streams are, and however much was read before.

use annals::prelude::*;
use annals::{Append, EventFilter, Expected, NewEvent, Payload, ReadAll};
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

/// Few among many are found by the index; the number of the others does not matter.
#[tokio::test]
async fn a_page_of_rare_events_costs_nothing_for_the_others() {
    let database = TestDatabase::create().await.unwrap();
    let store = PostgresStore::connect(database.url()).await.unwrap();
    store.migrate().await.unwrap();
    let append = |category: &'static str, event_type: &'static str, events: usize| {
        let event = |_| NewEvent::new(Uuid::now_v7(), event_type, 1, Payload::new("{}"));
        let events = (0..events).map(event).collect();
        Append::new(StreamId::new(category, "a"), Expected::Any, events)
    };
    for _ in 0..10 {
        store
            .append(vec![append("common", "Common", 2_000), append("many", "Often", 1_000)])
            .await
            .unwrap();
    }
    store.append(vec![append("rare", "Rare", 3)]).await.unwrap();
    sqlx::query("ANALYZE annals.events").execute(store.pool()).await.unwrap();
    let head = store.head().await.unwrap().get();
    for plan in ["force_custom_plan", "force_generic_plan"] {
        for (sql, names) in [
            (OF_TYPE, "Rare"),
            (BY_TYPE, "{Rare}"),
            (BY_TYPE, "{Rare,None}"),
            (BY_CATEGORY, "{rare}"),
        ] {
            let (rows, blocks) = page_of(&store, sql, names, plan, 0, head).await;
            assert!((rows - 3.0).abs() < f64::EPSILON, "{rows} rows of {names}");
            assert!(blocks <= FEW_BLOCKS, "{blocks} blocks for {names} by a {plan}");
        }
    }
}

/// What is asked for of both its type and its category costs a page too.
#[tokio::test]
async fn a_filter_by_type_and_category_reads_no_more_than_a_page_at_once() {
    let database = TestDatabase::create().await.unwrap();
    let store = PostgresStore::connect(database.url()).await.unwrap();
    store.migrate().await.unwrap();
    let append = |category: &'static str, events: usize| {
        let event = |_| NewEvent::new(Uuid::now_v7(), "Happened", 1, Payload::new("{}"));
        let events = (0..events).map(event).collect();
        Append::new(StreamId::new(category, "a"), Expected::Any, events)
    };
    store.append(vec![append("common", 1_000), append("rare", 3)]).await.unwrap();
    let filter = EventFilter::all().event_types(["Happened"]).categories(["rare"]);
    let mut read = Some(ReadAll::after(Position::START).filter(filter).limit(100));
    let (mut pages, mut found) = (0, Vec::new());
    while let Some(next) = read {
        let page = store.log_page(&next).await.unwrap();
        pages += 1;
        found.extend(page.events.iter().map(|event| event.stream_version));
        read = next.following(&page).unwrap();
    }
    assert_eq!((pages, found), (11, vec![1, 2, 3]));
}

const BY_STREAM: &str = include_str!("../../postgres/sql/log_by_stream.sql");
const OF_TYPE: &str = include_str!("../../postgres/sql/log_of_type.sql");
const BY_TYPE: &str = include_str!("../../postgres/sql/log_by_type.sql");
const BY_CATEGORY: &str = include_str!("../../postgres/sql/log_by_category.sql");

/// A way down the index for each name, and the rows.
const FEW_BLOCKS: u64 = 20;

/// How many rows a page of 100 has, and how many blocks of the database it took.
async fn page(store: &PostgresStore, plan: &str, after: u64, head: u64) -> (f64, u64) {
    page_of(store, BY_STREAM, "{subscribed-long}", plan, after, head).await
}

async fn page_of(
    store: &PostgresStore,
    sql: &str,
    names: &str,
    plan: &str,
    after: u64,
    head: u64,
) -> (f64, u64) {
    let sql = sql.replace("{schema}", "annals");
    let mut connection = store.pool().acquire().await.unwrap();
    let names_are = if sql.contains("$4::text[]") { "text[]" } else { "text" };
    let prepare = format!(
        "SET plan_cache_mode = {plan}; PREPARE page (bigint, bigint, bigint, {names_are}) AS {sql}"
    );
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.unwrap();
    let explain = format!(
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE page ({after}, {head}, 100, '{names}')"
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
