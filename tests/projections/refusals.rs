//! Events that fail at their row, and rows that their columns or their table do not take: each row by itself, alike however
//! events are batched.

use std::fmt;

use annals::prelude::*;
use annals::projection::ProjectionState;
use serde::{Deserialize, Serialize, Serializer};

use crate::models::{ItemId, ItemListed, OwnerRenamed, PriceChanged, What};
use crate::on_each_store;
use crate::stores::{PATIENCE, Store, bus, listed, priced, record};

on_each_store!(
    an_event_whose_key_cannot_be_told_stops_the_projection,
    a_parked_event_that_goes_elsewhere_now_is_not_given_up,
    what_waits_for_another_row_waits_though_the_table_refuses_the_rest,
    a_refused_row_is_left_out_by_itself,
    a_retry_writes_its_row_and_no_other,
    what_does_not_read_back_is_parked_in_any_batch,
    a_step_that_panics_or_moves_its_row_fails_for_its_row,
    a_projection_that_stops_does_so_for_any_failure,
    what_changes_each_row_waits_for_rows_of_which_nothing_is_known,
);

fn tagged(tags: &[&str], price: i64) -> What {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    What::Listed(ItemListed { owner: "Ada".into(), price, tags })
}

async fn start<M: Projection>(store: &impl Store) -> ProjectionEngine {
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

async fn parked<M: Projection>(engine: &ProjectionEngine) -> Vec<(String, Position)> {
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
    // It is done once and for all, and the other one still waits, after a restart, too.
    engine.shutdown().await.expect("nothing went wrong");
    let engine = start::<Coded>(&store).await;
    let last = record(&bus, "j", listed("d", 9)).await;
    pass::<Coded>(&engine, &last).await;
    assert_eq!(engine.retry_parked::<Coded>("c").await.expect("it is the owner"), 0);
    assert_eq!(engine.retry_parked::<Coded>("b").await.expect("it is the owner"), 1);
    let row = engine.read_models().get::<Coded>("c").await.expect("the row is read");
    assert_eq!(row.map(|row| row.seen), Some(1));
}

/// A value that panics as it is written if it is below zero.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Loud(i64);

impl Serialize for Loud {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(self.0 >= 0, "too loud");
        self.0.serialize(serializer)
    }
}

/// Rows with values that their columns do not take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "measures")]
pub struct Measure {
    #[read_model(key)]
    pub item: ItemId,
    #[read_model(json)]
    pub rates: Vec<f64>,
    #[read_model(json)]
    pub loud: Loud,
    #[read_model(index)]
    pub amount: u64,
}

#[projection]
impl Measure {
    #[on(upsert)]
    fn listed(_: Option<Self>, _: &ItemListed, cx: &EventContext<Self>) -> Self {
        Self { item: cx.key().clone(), rates: vec![1.0], loud: Loud(1), amount: 1 }
    }

    #[on]
    fn price(&mut self, event: &PriceChanged) {
        self.rates = vec![if event.price == -1 { f64::NAN } else { 1.0 }];
        self.amount = if event.price == -2 { u64::MAX } else { 1 };
        self.loud = Loud(if event.price == -3 { -1 } else { event.price.abs() });
    }
}

async fn what_does_not_read_back_is_parked_in_any_batch(store: impl Store) {
    let bus = bus(&store);
    for item in ["a", "b", "c", "d"] {
        record(&bus, item, listed("Ada", 1)).await;
    }
    let mut expected = Vec::new();
    for (item, price) in [("a", -1), ("b", -2), ("c", -3)] {
        let failed = record(&bus, item, priced(price)).await;
        let behind = record(&bus, item, priced(5)).await;
        expected.extend([(item.to_owned(), failed.position), (item.to_owned(), behind.position)]);
    }
    let last = record(&bus, "d", priced(5)).await;
    // In one batch, and event by event.
    let engine = start::<Measure>(&store).await;
    engine.wait_for::<Measure>(&last, PATIENCE).await.expect("it comes there");
    assert_eq!(parked::<Measure>(&engine).await, expected);
    let errors = engine.parked::<Measure>().await.expect("the store is there");
    for (number, part) in [(0, "f64"), (2, "18446744073709551615"), (4, "panicked: too loud")] {
        assert!(errors[number].error.contains(part), "{part}: {errors:?}");
    }
    let asked = engine.read_models().query::<Measure>().filter(Measure::AMOUNT.eq(u64::MAX));
    let refused = asked.fetch().await.expect_err("no column holds it").to_string();
    assert!(refused.contains("column `amount`"), "{refused}");
    let row = engine.read_models().get::<Measure>("d").await.expect("the row is read");
    assert_eq!(row.map(|row| row.loud), Some(Loud(5)));
    engine.rebuild::<Measure>().await.expect("it is done");
    assert_eq!(parked::<Measure>(&engine).await, expected);
}

/// Somebody has changed a row by hand: it waits, and all others go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_does_not_read_as_its_type_waits_by_itself() {
    let (store, _database) = crate::stores::postgres().await;
    let (bus, engine) = (bus(&store), start::<Measure>(&store).await);
    record(&bus, "a", listed("Ada", 1)).await;
    let last = record(&bus, "b", listed("Ada", 1)).await;
    engine.wait_for::<Measure>(&last, PATIENCE).await.expect("it comes there");
    let spoil = "UPDATE annals.measures_v1_1 SET rates = '[null]' WHERE item = 'a'";
    sqlx::query(spoil).execute(store.pool()).await.expect("the row is there");
    let failed = record(&bus, "a", priced(5)).await;
    let last = record(&bus, "b", priced(5)).await;
    engine.wait_for::<Measure>(&last, PATIENCE).await.expect("it comes there");
    let parked = engine.parked::<Measure>().await.expect("the store is there");
    assert_eq!((parked.len(), &*parked[0].key, parked[0].position), (1, "a", failed.position));
    assert!(parked[0].error.contains("does not read"), "{parked:?}");
    // A rebuild is the cure.
    engine.rebuild::<Measure>().await.expect("it is done");
    assert!(engine.parked::<Measure>().await.expect("the store is there").is_empty());
    let row = engine.read_models().get::<Measure>("a").await.expect("the row is read");
    assert_eq!(row.map(|row| row.loud), Some(Loud(5)));
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
