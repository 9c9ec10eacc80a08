//! Queries: by type and by name, after a receipt, for a user.

use std::sync::Mutex;

use annals::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::models::ItemRow;
use crate::on_each_store;
use crate::stores::{Store, bus, listed, record};

#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = Vec<String>)]
pub struct ItemsOf {
    owner: String,
}

#[query_handler]
async fn items_of(query: ItemsOf, cx: &QueryContext) -> Result<Vec<String>, ReadModelError> {
    let rows =
        cx.models().query::<ItemRow>().filter(ItemRow::OWNER.eq(query.owner)).fetch().await?;
    Ok(rows.into_iter().map(|row| row.item.0).collect())
}

#[derive(Debug, Serialize, Deserialize, Query)]
#[query(name = "who_am_i", result = Option<String>)]
pub struct WhoAmI;

#[query_handler]
fn who_am_i(_: WhoAmI, cx: &QueryContext) -> Option<String> {
    cx.user().map(str::to_owned)
}

/// Lets everybody see their own only, and notes what was asked.
#[derive(Default)]
struct OwnOnly(Mutex<Vec<String>>);

#[async_trait]
impl QueryInterceptor for &'static OwnOnly {
    async fn before(&self, call: &mut QueryCall) -> Result<(), Refusal> {
        let owner = call.content().get("owner").and_then(|owner| owner.as_str());
        if owner.is_some() && owner != call.user() {
            return Err(Refusal::new("what others own is theirs to see"));
        }
        Ok(())
    }

    async fn after(&self, call: &QueryCall, outcome: QueryOutcome<'_>) {
        self.0.lock().expect("nobody panics").push(format!("{}: {outcome:?}", call.name()));
    }
}

on_each_store!(
    a_query_sees_the_write_that_it_comes_after,
    an_interceptor_sees_the_rows_that_the_handler_will,
    who_may_see_what_is_decided_in_one_place
);

async fn a_query_sees_the_write_that_it_comes_after(store: impl Store) {
    let bus = bus(&store);
    let engine = ProjectionEngine::builder(store.clone()).register::<ItemRow>().start().await;
    let engine = engine.expect("the engine starts");
    // A program that reads, and one whose engine writes.
    for queries in
        [QueryBus::new(engine.read_models()), QueryBus::new(ReadModels::new(store.clone()))]
    {
        for number in 0..20 {
            let item = format!("i-{number}");
            let receipt = record(&bus, &item, listed("Ada", number)).await;
            let found = queries.ask(ItemsOf { owner: "Ada".into() }).after(&receipt).await;
            assert!(found.expect("it is answered").contains(&item));
        }
    }
    let queries = QueryBus::new(engine.read_models());
    let found = queries.ask_json("ItemsOf", json!({ "owner": "Nobody" })).await;
    assert_eq!(found.expect("it is answered"), json!([]));
    let unknown = queries.ask_json("ItemOf", json!({})).await.expect_err("nobody answers it");
    assert_eq!(unknown.to_string(), "unknown query `ItemOf`; did you mean `ItemsOf`?");
    let invalid = queries.ask_json("ItemsOf", json!({})).await.expect_err("it names no owner");
    assert_eq!(invalid.to_string(), "query `ItemsOf`: missing field `owner`");
}

#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = bool)]
pub struct HasItem {
    item: String,
}

#[query_handler]
async fn has_item(query: HasItem, cx: &QueryContext) -> Result<bool, ReadModelError> {
    Ok(cx.models().get::<ItemRow>(query.item.as_str()).await?.is_some())
}

/// Lets everybody ask of items only that they own.
struct OwnersOfItems;

#[async_trait]
impl QueryInterceptor for OwnersOfItems {
    async fn before(&self, call: &mut QueryCall) -> Result<(), Refusal> {
        let item = call.content()["item"].as_str().unwrap_or_default();
        let row = call.models().get::<ItemRow>(item).await.map_err(Refusal::because)?;
        let owner = row.map(|row| row.owner);
        if owner.as_deref() == call.user() { Ok(()) } else { Err(Refusal::new("not yours")) }
    }
}

/// Whose a row is, only the row tells; right after the write that it comes of, too.
async fn an_interceptor_sees_the_rows_that_the_handler_will(store: impl Store) {
    let bus = bus(&store);
    let engine = ProjectionEngine::builder(store.clone()).register::<ItemRow>().start().await;
    let engine = engine.expect("the engine starts");
    let queries = QueryBus::builder(engine.read_models()).interceptor(OwnersOfItems).build();
    let queries = queries.expect("no names clash");
    for number in 0..20 {
        let item = format!("i-{number}");
        let receipt = record(&bus, &item, listed("Ada", number)).await;
        let ask = || queries.ask(HasItem { item: item.clone() }).after(&receipt);
        assert!(ask().user("Ada").await.expect("it is hers"));
        assert!(matches!(ask().user("Bob").await, Err(QueryError::Refused(_))));
    }
}

async fn who_may_see_what_is_decided_in_one_place(store: impl Store) {
    let engine = ProjectionEngine::builder(store.clone()).register::<ItemRow>().start().await;
    let engine = engine.expect("the engine starts");
    let own: &'static OwnOnly = Box::leak(Box::default());
    let queries = QueryBus::builder(engine.read_models()).interceptor(own).build();
    let queries = queries.expect("no names clash");
    let mine = queries.ask(ItemsOf { owner: "Ada".into() }).user("Ada").await;
    assert_eq!(mine.expect("it is hers"), Vec::<String>::new());
    let theirs = queries.ask(ItemsOf { owner: "Ada".into() }).user("Bob").await;
    assert!(matches!(theirs, Err(QueryError::Refused(_))), "{theirs:?}");
    let json = queries.ask_json("ItemsOf", json!({ "owner": "Ada" })).user("Bob").await;
    assert!(matches!(json, Err(QueryError::Refused(_))), "{json:?}");
    let name = queries.ask(WhoAmI).user("Bob").await.expect("it is answered");
    assert_eq!(name.as_deref(), Some("Bob"));
    let seen = own.0.lock().expect("nobody panics").clone();
    assert_eq!(seen, ["ItemsOf: Answered", "who_am_i: Answered"]);
}
