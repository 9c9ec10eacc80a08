//! Rows folded when they are asked for.

use std::time::Duration;

use annals::prelude::*;

use crate::models::{ItemRow, OwnerRenamed, TagCount, What};
use crate::on_each_store;
use crate::stores::{Store, bus, listed, priced, record, wait};

on_each_store!(
    a_live_row_is_what_the_engine_keeps,
    a_live_row_is_folded_as_of_an_instant,
    a_live_row_tells_what_fails,
);

async fn start(store: &impl Store) -> ProjectionEngine {
    let engine = ProjectionEngine::builder(store.clone())
        .register::<ItemRow>()
        .register::<TagCount>()
        .retry(RetryPolicy::never());
    engine.start().await.expect("the engine starts")
}

async fn a_live_row_is_what_the_engine_keeps(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store).await);
    record(&bus, "a", listed("Ada", 1)).await;
    record(&bus, "b", listed("Bob", 1)).await;
    let renamed = OwnerRenamed { from: "Ada".into(), to: "Eve".into() };
    record(&bus, "b", What::Renamed(renamed)).await;
    let last = record(&bus, "a", priced(4)).await;
    wait(&engine, &last).await;
    for item in ["a", "b", "nobody"] {
        let kept = engine.read_models().get::<ItemRow>(item).await.expect("the row is read");
        assert_eq!(engine.live::<ItemRow>(item).await.expect("it is folded"), kept, "{item}");
    }
    let tag = engine.live::<TagCount>("new").await.expect("it is folded");
    assert_eq!(tag.map(|tag| tag.items), Some(2));
}

async fn a_live_row_is_folded_as_of_an_instant(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store).await);
    let first = record(&bus, "a", listed("Ada", 1)).await;
    // Two instants of the store's clock.
    tokio::time::sleep(Duration::from_millis(2)).await;
    record(&bus, "a", priced(2)).await;
    let then = engine.live::<ItemRow>("a").as_of(first.recorded_at).await.expect("it is folded");
    assert_eq!(then.map(|row| row.price), Some(1));
    let before = first.recorded_at - Duration::from_micros(1);
    assert_eq!(engine.live::<ItemRow>("a").as_of(before).await.expect("it is folded"), None);
}

async fn a_live_row_tells_what_fails(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store).await);
    record(&bus, "a", listed("Ada", 1)).await;
    record(&bus, "a", priced(-5)).await;
    let failed = engine.live::<ItemRow>("a").await.expect_err("the step refuses").to_string();
    assert!(failed.contains("PriceChanged") && failed.contains("-5 is below zero"), "{failed}");
}
