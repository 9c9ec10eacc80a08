//! Rebuilds: new rows beside the old ones, which go on answering, then one step.

use std::time::Duration;

use annals::prelude::*;

use crate::models::ItemRow;
use crate::on_each_store;
use crate::stores::{Store, bus, listed, priced, record, wait};

on_each_store!(
    a_rebuild_gives_the_same_rows,
    rows_answer_while_they_are_rebuilt,
    a_rebuild_that_is_dropped_leaves_the_rows,
);

async fn start(store: &impl Store) -> ProjectionEngine {
    let engine = ProjectionEngine::builder(store.clone())
        .register::<ItemRow>()
        .batch(100)
        .retry(RetryPolicy::never());
    engine.start().await.expect("the engine starts")
}

async fn rows(engine: &ProjectionEngine) -> Vec<ItemRow> {
    engine.read_models().query::<ItemRow>().fetch().await.expect("rows are read")
}

async fn fill(bus: &CommandBus, events: i64) -> Receipt {
    let mut last = None;
    for number in 0..events {
        let what = if number < 20 { listed("Ada", number) } else { priced(number) };
        last = Some(record(bus, &format!("i-{}", number % 20), what).await);
    }
    last.expect("there is one")
}

async fn a_rebuild_gives_the_same_rows(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store).await);
    fill(&bus, 200).await;
    let last = record(&bus, "i-3", priced(-1)).await;
    let other = record(&bus, "i-4", priced(7)).await;
    wait(&engine, &other).await;
    let before = rows(&engine).await;
    engine.rebuild::<ItemRow>().await.expect("it is the owner");
    assert_eq!(rows(&engine).await, before);
    let parked = engine.parked::<ItemRow>().await.expect("the store is there");
    assert_eq!(parked.iter().map(|event| event.position).collect::<Vec<_>>(), [last.position]);
    let status = engine.status().await.expect("the store is there");
    assert_eq!(status.of::<ItemRow>().expect("it is registered").generation, 2);
    // And it goes on with the new ones.
    let next = record(&bus, "i-4", priced(8)).await;
    wait(&engine, &next).await;
    assert_eq!(
        engine.live::<ItemRow>("i-4").await.expect("it is folded").map(|row| row.price),
        Some(8)
    );
    engine.rebuild::<ItemRow>().await.expect("it is the owner");
}

async fn rows_answer_while_they_are_rebuilt(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store).await);
    let last = fill(&bus, 400).await;
    wait(&engine, &last).await;
    let writer = {
        let bus = bus.clone();
        tokio::spawn(async move {
            let mut last = None;
            for number in 0..100 {
                last = Some(record(&bus, &format!("i-{}", number % 20), priced(number)).await);
            }
            last.expect("there is one")
        })
    };
    let reader = {
        let engine = engine.clone();
        tokio::spawn(async move {
            for _ in 0..100 {
                assert_eq!(rows(&engine).await.len(), 20, "never a row less");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    };
    for _ in 0..3 {
        engine.rebuild::<ItemRow>().await.expect("it is the owner");
    }
    reader.await.expect("the reader saw all rows");
    let last = writer.await.expect("the writer wrote");
    wait(&engine, &last).await;
    for row in rows(&engine).await {
        let live = engine.live::<ItemRow>(&row.item).await.expect("it is folded");
        assert_eq!(live, Some(row));
    }
}

async fn a_rebuild_that_is_dropped_leaves_the_rows(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store).await);
    let last = fill(&bus, 200).await;
    wait(&engine, &last).await;
    let before = rows(&engine).await;
    let dropped = tokio::time::timeout(Duration::from_millis(1), engine.rebuild::<ItemRow>()).await;
    drop(dropped);
    assert_eq!(rows(&engine).await, before);
    engine.rebuild::<ItemRow>().await.expect("it can be done again");
    assert_eq!(rows(&engine).await, before);
}
