//! Events that fail at their row, and rows that their columns or their table do not take: each row by itself, alike however
//! events are batched.

use std::fmt;

use annals::prelude::*;
use annals::projection::ProjectionState;
use serde::{Deserialize, Serialize};

use crate::models::{ItemId, ItemListed, OwnerRenamed, PriceChanged, What};
use crate::on_each_store;
use crate::stores::{PATIENCE, Store, bus, listed, priced, record};

on_each_store!(
    an_event_whose_key_cannot_be_told_stops_the_projection,
    a_parked_event_that_goes_elsewhere_now_is_not_given_up,
    what_waits_for_another_row_waits_though_the_table_refuses_the_rest,
    a_refused_row_is_left_out_by_itself,
    a_retry_writes_its_row_and_no_other,
    a_step_that_panics_or_moves_its_row_fails_for_its_row,
    a_projection_that_stops_does_so_for_any_failure,
    what_changes_each_row_waits_for_rows_of_which_nothing_is_known,
);

fn tagged(tags: &[&str], price: i64) -> What {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    What::Listed(ItemListed { owner: "Ada".into(), price, tags })
}

pub async fn start<M: Projection>(store: &impl Store) -> ProjectionEngine {
    let engine = ProjectionEngine::builder(store.clone()).register::<M>();
    engine.retry(RetryPolicy::never()).start().await.expect("the engine starts")
}

/// Waits until the engine has passed a receipt, whatever has become of its events.
async fn pass<M: Projection>(engine: &ProjectionEngine, receipt: &Receipt) {
    loop {
        let status = engine.status().await.expect("the store is there");
        let status = status.of::<M>().expect("it is registered");
        assert_ne!(status.state, ProjectionState::Stopped, "{status:?}");
        if status.position >= receipt.position {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

pub async fn parked<M: Projection>(engine: &ProjectionEngine) -> Vec<(String, Position)> {
    let parked = engine.parked::<M>().await.expect("the store is there");
    parked.into_iter().map(|event| (event.key, event.position)).collect()
}

/// Rows by a key that some events do not have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "owners")]
pub struct OwnerRow {
    #[read_model(key)]
    pub owner: String,
    pub seen: i64,
}

#[projection]
impl OwnerRow {
    #[on(upsert, key = |event| { assert!(event.price >= 0, "no key"); event.owner.clone() })]
    fn listed(row: Option<Self>, event: &ItemListed) -> Self {
        Self { owner: event.owner.clone(), seen: row.map_or(0, |row| row.seen) + 1 }
    }
}

async fn an_event_whose_key_cannot_be_told_stops_the_projection(store: impl Store) {
    let bus = bus(&store);
    record(&bus, "a", listed("Ada", 1)).await;
    let keyless = record(&bus, "a", listed("Ada", -1)).await;
    let last = record(&bus, "a", listed("Ada", 1)).await;
    let engine = start::<OwnerRow>(&store).await;
    let told = engine.wait_for::<OwnerRow>(&last, PATIENCE).await;
    let Err(ReadModelError::Stopped { reason, .. }) = told else { panic!("{told:?}") };
    for part in ["ItemListed", &format!("position {}", keyless.position), "key", "no key"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert!(parked::<OwnerRow>(&engine).await.is_empty());
    engine.skip::<OwnerRow>(keyless.position).await.expect("it has stopped there");
    engine.wait_for::<OwnerRow>(&last, PATIENCE).await.expect("it goes on");
    let row = engine.read_models().get::<OwnerRow>("Ada").await.expect("the row is read");
    assert_eq!(row.map(|row| row.seen), Some(2));
}

/// Two releases of one projection, whose events go to rows of other keys.
mod releases {
    use super::*;

    pub mod first {
        use super::*;

        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
        #[read_model(table = "routed")]
        pub struct Routed {
            #[read_model(key)]
            pub key: String,
        }

        #[projection]
        impl Routed {
            #[on(upsert, key = |event| event.owner.clone())]
            fn listed(_: Option<Self>, _: &ItemListed) -> Result<Self, fmt::Error> {
                Err(fmt::Error)
            }
        }
    }

    pub mod second {
        use super::*;

        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
        #[read_model(table = "routed")]
        pub struct Routed {
            #[read_model(key)]
            pub key: String,
        }

        #[projection]
        impl Routed {
            #[on(upsert, key = |event| event.tags[0].clone())]
            fn listed(_: Option<Self>, _: &ItemListed, cx: &EventContext<Self>) -> Self {
                Self { key: cx.key().clone() }
            }
        }
    }
}

async fn a_parked_event_that_goes_elsewhere_now_is_not_given_up(store: impl Store) {
    use releases::{first, second};

    let (bus, engine) = (bus(&store), start::<first::Routed>(&store).await);
    let last = record(&bus, "a", tagged(&["b"], 1)).await;
    pass::<first::Routed>(&engine, &last).await;
    engine.shutdown().await.expect("nothing went wrong");
    let engine = start::<second::Routed>(&store).await;
    let last = record(&bus, "b", priced(1)).await;
    pass::<second::Routed>(&engine, &last).await;
    assert_eq!(engine.retry_parked::<second::Routed>("Ada").await.expect("it is the owner"), 1);
    let parked = engine.parked::<second::Routed>().await.expect("the store is there");
    assert_eq!((parked.len(), &*parked[0].key), (1, "Ada"));
    assert!(parked[0].error.contains("goes to row `b`"), "{parked:?}");
    let rows = engine.read_models().query::<second::Routed>().count().await;
    assert_eq!(rows.expect("rows are counted"), 0);
}

/// Rows of which the table refuses some: those with a code that another has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "coded")]
pub struct Coded {
    #[read_model(key)]
    pub tag: String,
    #[read_model(unique)]
    pub code: Option<i64>,
    pub seen: i64,
}

impl Coded {
    fn seen(row: Option<Self>, tag: &str, price: i64) -> Self {
        let code = (tag != "a").then_some(price);
        Self { tag: tag.to_owned(), code, seen: row.map_or(0, |row| row.seen) + 1 }
    }
}

#[projection]
impl Coded {
    #[on(upsert, key = |event| event.tags.clone())]
    fn listed(
        row: Option<Self>,
        event: &ItemListed,
        cx: &EventContext<Self>,
    ) -> Result<Self, fmt::Error> {
        if event.price < 0 && cx.key() == "a" {
            return Err(fmt::Error);
        }
        Ok(Self::seen(row, cx.key(), event.price))
    }
}

async fn what_waits_for_another_row_waits_though_the_table_refuses_the_rest(store: impl Store) {
    let (bus, engine) = (bus(&store), start::<Coded>(&store).await);
    let failed = record(&bus, "i", tagged(&["a"], -1)).await;
    record(&bus, "i", tagged(&["z"], 7)).await;
    let both = record(&bus, "i", tagged(&["a", "b", "c"], 7)).await;
    pass::<Coded>(&engine, &both).await;
    let waits = |key: &str, receipt: &Receipt| (key.to_owned(), receipt.position);
    let mut found = parked::<Coded>(&engine).await;
    found.sort_unstable();
    let expected = [waits("a", &failed), waits("a", &both), waits("b", &both), waits("c", &both)];
    assert_eq!(found, expected);
}

/// The same, but what the table refuses is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "lax")]
pub struct Lax {
    #[read_model(key)]
    pub tag: String,
    #[read_model(unique)]
    pub code: Option<i64>,
    pub seen: i64,
}

#[projection(on_error = skip)]
impl Lax {
    #[on(upsert, key = |event| event.tags.clone())]
    fn listed(
        row: Option<Self>,
        event: &ItemListed,
        cx: &EventContext<Self>,
    ) -> Result<Self, fmt::Error> {
        if event.price < 0 && cx.key() == "b" {
            return Err(fmt::Error);
        }
        let Coded { tag, code, .. } = Coded::seen(None, cx.key(), event.price);
        Ok(Self { tag, code, seen: row.map_or(0, |row| row.seen) + 1 })
    }
}

async fn a_refused_row_is_left_out_by_itself(store: impl Store) {
    let (bus, engine) = (bus(&store), start::<Lax>(&store).await);
    record(&bus, "i", tagged(&["z"], 7)).await;
    record(&bus, "i", tagged(&["a", "b", "d"], -1)).await;
    let last = record(&bus, "i", tagged(&["a", "b"], 7)).await;
    pass::<Lax>(&engine, &last).await;
    assert!(parked::<Lax>(&engine).await.is_empty());
    let rows = engine.read_models().query::<Lax>().fetch().await.expect("rows are read");
    let rows: Vec<_> = rows.iter().map(|row| (&*row.tag, row.seen)).collect();
    assert_eq!(rows, [("a", 2), ("d", 1), ("z", 1)]);
}

async fn a_retry_writes_its_row_and_no_other(store: impl Store) {
    let (bus, engine) = (bus(&store), start::<Coded>(&store).await);
    record(&bus, "i", tagged(&["z"], 7)).await;
    let refused = record(&bus, "i", tagged(&["b", "c", "a"], 7)).await;
    pass::<Coded>(&engine, &refused).await;
    // What the table takes is written, though it refuses other rows of the same event.
    let at = refused.position;
    assert_eq!(parked::<Coded>(&engine).await, [("b".to_owned(), at), ("c".to_owned(), at)]);
    for event in engine.parked::<Coded>().await.expect("the store is there") {
        assert!(event.error.ends_with("in the unique column `code`"), "{event:?}");
    }
    let last = record(&bus, "i", tagged(&["z"], 8)).await;
    engine.wait_for::<Coded>(&last, PATIENCE).await.expect("its own row does not wait");
    assert_eq!(engine.retry_parked::<Coded>("c").await.expect("it is the owner"), 0);
    assert_eq!(parked::<Coded>(&engine).await, [("b".to_owned(), at)]);
    let rows = engine.read_models().query::<Coded>().fetch().await.expect("rows are read");
    let rows: Vec<_> = rows.iter().map(|row| (&*row.tag, row.code, row.seen)).collect();
    assert_eq!(rows, [("a", None, 1), ("c", Some(7), 1), ("z", Some(8), 2)]);
    // Nothing waits for it any more: what comes next is applied.
    let next = record(&bus, "i", tagged(&["c"], 7)).await;
    engine.wait_for::<Coded>(&next, PATIENCE).await.expect("its own row does not wait");
    assert_eq!(parked::<Coded>(&engine).await, [("b".to_owned(), at)]);
    // It is done once and for all, and the other one still waits, after a restart, too.
    engine.shutdown().await.expect("nothing went wrong");
    let engine = start::<Coded>(&store).await;
    let last = record(&bus, "j", listed("d", 9)).await;
    pass::<Coded>(&engine, &last).await;
    assert_eq!(engine.retry_parked::<Coded>("c").await.expect("it is the owner"), 0);
    assert_eq!(engine.retry_parked::<Coded>("b").await.expect("it is the owner"), 1);
    let row = engine.read_models().get::<Coded>("c").await.expect("the row is read");
    assert_eq!(row.map(|row| row.seen), Some(2));
}

/// Steps that panic, or give the row another key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "strays")]
pub struct Stray {
    #[read_model(key)]
    pub item: ItemId,
    pub price: i64,
}

#[projection]
impl Stray {
    #[on(upsert)]
    fn listed(_: Option<Self>, event: &ItemListed, cx: &EventContext<Self>) -> Self {
        let item = if event.price < 0 { "elsewhere".into() } else { cx.key().clone() };
        Self { item, price: event.price }
    }

    #[on]
    fn price(&mut self, event: &PriceChanged) {
        assert!(event.price >= 0, "a price of {} is below zero", event.price);
        self.price = event.price;
    }
}

async fn a_step_that_panics_or_moves_its_row_fails_for_its_row(store: impl Store) {
    let (bus, engine) = (bus(&store), start::<Stray>(&store).await);
    record(&bus, "a", listed("Ada", 1)).await;
    record(&bus, "a", priced(-1)).await;
    record(&bus, "b", listed("Ada", -1)).await;
    let last = record(&bus, "c", listed("Ada", 1)).await;
    engine.wait_for::<Stray>(&last, PATIENCE).await.expect("it comes there");
    let parked = engine.parked::<Stray>().await.expect("the store is there");
    let errors: Vec<_> = parked.iter().map(|event| (&*event.key, &*event.error)).collect();
    let [("a", panicked), ("b", moved)] = errors[..] else { panic!("{errors:?}") };
    assert!(panicked.contains("panicked: a price of -1 is below zero"), "{panicked}");
    assert!(moved.contains("the key `elsewhere` after the step"), "{moved}");
    let rows = engine.read_models().query::<Stray>().fetch().await.expect("rows are read");
    let rows: Vec<_> = rows.iter().map(|row| (&*row.item.0, row.price)).collect();
    assert_eq!(rows, [("a", 1), ("c", 1)]);
}

/// Rows of a projection that stops: by its step, and by its table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "strict")]
pub struct Strict {
    #[read_model(key)]
    pub item: ItemId,
    #[read_model(unique)]
    pub price: i64,
}

#[projection(on_error = stop)]
impl Strict {
    #[on(upsert)]
    fn listed(
        _: Option<Self>,
        event: &ItemListed,
        cx: &EventContext<Self>,
    ) -> Result<Self, fmt::Error> {
        if event.price < 0 {
            return Err(fmt::Error);
        }
        Ok(Self { item: cx.key().clone(), price: event.price })
    }
}

async fn a_projection_that_stops_does_so_for_any_failure(store: impl Store) {
    let (bus, engine) = (bus(&store), start::<Strict>(&store).await);
    record(&bus, "a", listed("Ada", 1)).await;
    for (item, price, why) in [("b", -1, "an error occurred"), ("c", 1, "unique column `price`")] {
        let failed = record(&bus, item, listed("Ada", price)).await;
        let told = engine.wait_for::<Strict>(&failed, PATIENCE).await;
        let Err(ReadModelError::Stopped { reason, .. }) = told else { panic!("{told:?}") };
        for part in ["ItemListed", &format!("row `{item}`"), why] {
            assert!(reason.contains(part), "{reason}");
        }
        engine.skip::<Strict>(failed.position).await.expect("it has stopped there");
        engine.wait_for::<Strict>(&failed, PATIENCE).await.expect("it goes on");
    }
    assert!(parked::<Strict>(&engine).await.is_empty());
    let rows = engine.read_models().query::<Strict>().count().await.expect("rows are counted");
    assert_eq!(rows, 1);
}

async fn what_changes_each_row_waits_for_rows_of_which_nothing_is_known(store: impl Store) {
    use crate::models::ItemRow;

    let (bus, engine) = (bus(&store), start::<ItemRow>(&store).await);
    record(&bus, "a", listed("Bob", 1)).await;
    record(&bus, "a", priced(-1)).await;
    // It waits, and until then the row is Bob's.
    record(&bus, "a", listed("Ada", 1)).await;
    let renamed = OwnerRenamed { from: "Ada".into(), to: "Eve".into() };
    let renamed = record(&bus, "x", What::Renamed(renamed)).await;
    pass::<ItemRow>(&engine, &renamed).await;
    let parked = parked::<ItemRow>(&engine).await;
    assert_eq!(parked.last(), Some(&("a".to_owned(), renamed.position)), "{parked:?}");
}
