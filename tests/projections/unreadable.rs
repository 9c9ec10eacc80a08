//! Values that do not go into their columns, or do not come back: their row waits, alike however events are batched.

use annals::prelude::*;
use serde::{Deserialize, Serialize, Serializer};

use crate::models::{ItemId, ItemListed, PriceChanged};
use crate::on_each_store;
use crate::refusals::{parked, start};
use crate::stores::{PATIENCE, Store, bus, listed, priced, record};

on_each_store!(what_does_not_read_back_is_parked_in_any_batch);

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
