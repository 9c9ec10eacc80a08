//! Inline projections: rows that change with the append or not at all.

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use crate::models::{Item, ItemId, ItemListed, ItemRemoved, PriceChanged, Record, What};
use crate::on_each_store;
use crate::stores::{Store, listed, priced, record};

/// The price of an item, known as soon as the command is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "inline_prices")]
pub struct InlinePrice {
    #[read_model(key)]
    pub item: ItemId,
    pub price: i64,
    pub changes: i32,
}

#[derive(Debug, thiserror::Error)]
#[error("no price is as high as {0}")]
pub struct TooHigh(i64);

#[projection(inline)]
impl InlinePrice {
    #[on(upsert)]
    fn listed(row: Option<Self>, event: &ItemListed, cx: &EventContext<Self>) -> Self {
        let changes = row.map_or(0, |row| row.changes + 1);
        Self { item: cx.key().clone(), price: event.price, changes }
    }

    #[on]
    fn price(&mut self, event: &PriceChanged) -> Result<(), TooHigh> {
        if event.price > 1_000_000 {
            return Err(TooHigh(event.price));
        }
        self.price = event.price;
        self.changes += 1;
        Ok(())
    }

    #[on]
    fn removed(self, _: &ItemRemoved) -> Option<Self> {
        None
    }
}

on_each_store!(
    the_row_is_there_with_the_receipt,
    a_failing_row_fails_the_command,
    a_row_that_the_table_refuses_fails_the_command,
    racing_commands_give_the_row_of_their_order,
    streams_that_were_there_before_are_brought_forward,
    an_engine_writes_rows_of_streams_that_nobody_touches,
    rows_that_are_written_anew_meanwhile_lose_nothing,
);

fn bus(store: &impl Store) -> CommandBus {
    let bus = CommandBus::builder(store.clone()).register::<Item>();
    bus.register_inline::<InlinePrice>().build().expect("nothing clashes")
}

/// A bus that knows nothing of the projection, as the release before it did.
fn old_bus(store: &impl Store) -> CommandBus {
    CommandBus::builder(store.clone()).register::<Item>().build().expect("nothing clashes")
}

async fn row(store: &impl Store, item: &str) -> Option<(i64, i32)> {
    let models = ReadModels::new(store.clone());
    let row = models.get::<InlinePrice>(item).await.expect("the row is read");
    row.map(|row| (row.price, row.changes))
}

async fn the_row_is_there_with_the_receipt(store: impl Store) {
    let bus = bus(&store);
    record(&bus, "a", listed("Ada", 1)).await;
    assert_eq!(row(&store, "a").await, Some((1, 0)));
    record(&bus, "a", priced(2)).await;
    assert_eq!(row(&store, "a").await, Some((2, 1)));
    record(&bus, "a", What::Removed).await;
    assert_eq!(row(&store, "a").await, None);
    record(&bus, "a", listed("Ada", 3)).await;
    assert_eq!(row(&store, "a").await, Some((3, 0)));
}

async fn a_failing_row_fails_the_command(store: impl Store) {
    let bus = bus(&store);
    record(&bus, "a", listed("Ada", 1)).await;
    let refused = bus.dispatch(Record { item: "a".into(), what: priced(2_000_000) }).await;
    let refused = refused.expect_err("the row cannot be").to_string();
    for part in ["projected_item-a", "inline_prices", "PriceChanged", "as high as 2000000"] {
        assert!(refused.contains(part), "{refused}");
    }
    let head = store.stream_head(&StreamId::new("projected_item", "a")).await.expect("it is read");
    assert_eq!((head.version, row(&store, "a").await), (1, Some((1, 0))));
}

/// Of which no two have the same price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "unlike_prices")]
pub struct UnlikePrice {
    #[read_model(key)]
    pub item: ItemId,
    #[read_model(unique)]
    pub price: i64,
}

#[projection(inline, name = "unlike")]
impl UnlikePrice {
    #[on(upsert)]
    fn listed(_: Option<Self>, event: &ItemListed, cx: &EventContext<Self>) -> Self {
        Self { item: cx.key().clone(), price: event.price }
    }
}

async fn a_row_that_the_table_refuses_fails_the_command(store: impl Store) {
    let bus = CommandBus::builder(store.clone()).register::<Item>();
    let bus = bus.register_inline::<UnlikePrice>().build().expect("nothing clashes");
    record(&bus, "a", listed("Ada", 1)).await;
    let refused = bus.dispatch(Record { item: "b".into(), what: listed("Bob", 1) }).await;
    let refused = refused.expect_err("another row has the price").to_string();
    for part in ["projected_item-b", "`unlike`", "row `b`", "unique column `price`"] {
        assert!(refused.contains(part), "{refused}");
    }
    let head = store.stream_head(&StreamId::new("projected_item", "b")).await.expect("it is read");
    assert_eq!(head.version, 0);
}

async fn racing_commands_give_the_row_of_their_order(store: impl Store) {
    let bus = bus(&store);
    record(&bus, "a", listed("Ada", 0)).await;
    let tasks: Vec<_> = (1..=4)
        .map(|task| {
            let bus = bus.clone();
            tokio::spawn(async move {
                for number in 0..10 {
                    let record = Record { item: "a".into(), what: priced(task * 100 + number) };
                    // Whoever has lost too many races begins anew.
                    while let Err(error) = bus.dispatch(record.clone()).await {
                        assert!(matches!(error, DispatchError::Conflict(_)), "{error:?}");
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("all are stored");
    }
    let live = annals::ProjectionEngine::builder(store.clone()).start().await.expect("it starts");
    let live = live.live::<InlinePrice>("a").await.expect("it is folded");
    let live = live.map(|row| (row.price, row.changes));
    assert_eq!((row(&store, "a").await, live.map(|live| live.1)), (live, Some(40)));
}

async fn streams_that_were_there_before_are_brought_forward(store: impl Store) {
    let (old, new) = (old_bus(&store), bus(&store));
    record(&old, "a", listed("Ada", 1)).await;
    record(&old, "a", priced(2)).await;
    record(&new, "a", priced(3)).await;
    assert_eq!(row(&store, "a").await, Some((3, 2)));
    // A release that knows nothing of the projection writes in between.
    record(&old, "a", priced(4)).await;
    assert_eq!(row(&store, "a").await, Some((3, 2)));
    record(&new, "a", priced(5)).await;
    assert_eq!(row(&store, "a").await, Some((5, 4)));
}

async fn an_engine_writes_rows_of_streams_that_nobody_touches(store: impl Store) {
    let old = old_bus(&store);
    for item in ["a", "b", "c"] {
        record(&old, item, listed("Ada", 1)).await;
    }
    record(&old, "b", What::Removed).await;
    let engine = ProjectionEngine::builder(store.clone()).register::<InlinePrice>();
    let engine = engine.start().await.expect("the engine starts");
    engine.rebuild::<InlinePrice>().await.expect("all streams read");
    assert_eq!(row(&store, "a").await, Some((1, 0)));
    assert_eq!(row(&store, "b").await, None);
    assert_eq!(row(&store, "c").await, Some((1, 0)));
    engine.shutdown().await.expect("nothing went wrong");
}

async fn rows_that_are_written_anew_meanwhile_lose_nothing(store: impl Store) {
    let bus = bus(&store);
    let engine = ProjectionEngine::builder(store.clone()).register::<InlinePrice>();
    let engine = engine.start().await.expect("the engine starts");
    const ITEMS: [&str; 3] = ["a", "b", "c"];
    let writers: Vec<_> = ITEMS
        .iter()
        .map(|item| {
            let bus = bus.clone();
            tokio::spawn(async move {
                for number in 0..25 {
                    record(&bus, item, listed("Ada", number)).await;
                    record(&bus, item, priced(number)).await;
                    record(&bus, item, What::Removed).await;
                }
            })
        })
        .collect();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        engine.rebuild::<InlinePrice>().await.expect("all streams read");
    }
    for writer in writers {
        writer.await.expect("all are stored");
    }
    for item in ITEMS {
        assert_eq!(row(&store, item).await, None, "{item}: what was removed last stays so");
    }
}
