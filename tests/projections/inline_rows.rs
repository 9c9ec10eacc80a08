//! Rows of inline projections that an engine writes: those of streams that nobody who knows the projection appended to.

use std::time::Duration;

use annals::prelude::*;
use annals::projection::ProjectionState;

use crate::inline::InlinePrice;
use crate::on_each_store;
use crate::stores::{PATIENCE, Store, bus, listed, priced, record};

on_each_store!(
    a_stream_that_fails_holds_up_no_other,
    streams_that_a_program_of_before_begins_later_are_written,
    what_an_inline_projection_cannot_be_asked_says_so,
);

async fn start(store: impl Store) -> ProjectionEngine {
    let engine = ProjectionEngine::builder(store)
        .register::<InlinePrice>()
        .lease(Duration::from_millis(200))
        .polling(Duration::from_millis(20));
    engine.start().await.expect("the engine starts")
}

/// Waits until there are so many rows.
async fn rows(engine: &ProjectionEngine, count: usize) -> Vec<InlinePrice> {
    let counted = async {
        loop {
            let rows = engine.read_models().query::<InlinePrice>().fetch().await;
            let rows = rows.expect("rows are read");
            if rows.len() == count {
                return rows;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let counted = tokio::time::timeout(PATIENCE, counted).await;
    counted.unwrap_or_else(|_| panic!("not {count} rows"))
}

async fn a_stream_that_fails_holds_up_no_other(store: impl Store) {
    let bus = bus(&store);
    record(&bus, "a", listed("Ada", 1)).await;
    // No price is as high.
    record(&bus, "a", priced(2_000_000)).await;
    record(&bus, "b", listed("Bob", 1)).await;
    let engine = start(store).await;
    let written = rows(&engine, 1).await;
    assert_eq!(&*written[0].item.0, "b");
    crate::stopped::is(&engine, ProjectionState::Retrying).await;
    let status = engine.status().await.expect("the store is there");
    let status = status.of::<InlinePrice>().expect("it is registered");
    assert!(status.events_behind > 0, "{status:?}");
    let error = status.last_error.as_deref().expect("it is told");
    assert!(error.contains("no price is as high as 2000000"), "{error}");
    let told = engine.rebuild::<InlinePrice>().await;
    assert!(matches!(told, Err(EngineError::Stopped { .. })), "{told:?}");
    rows(&engine, 1).await;
}

async fn streams_that_a_program_of_before_begins_later_are_written(store: impl Store) {
    let bus = bus(&store);
    record(&bus, "a", listed("Ada", 1)).await;
    let engine = start(store).await;
    rows(&engine, 1).await;
    crate::stopped::is(&engine, ProjectionState::Live).await;
    record(&bus, "b", listed("Bob", 1)).await;
    record(&bus, "a", priced(7)).await;
    let written = rows(&engine, 2).await;
    assert_eq!(written.len(), 2);
    let is_written = async {
        while rows(&engine, 2).await.iter().all(|row| row.price != 7) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, is_written).await.expect("the first goes on, too");
}

async fn what_an_inline_projection_cannot_be_asked_says_so(store: impl Store) {
    let engine = start(store).await;
    let paused = engine.pause::<InlinePrice>().await;
    assert!(matches!(paused, Err(EngineError::Inline { .. })), "{paused:?}");
    let parked = engine.parked::<InlinePrice>().await;
    assert!(matches!(parked, Err(EngineError::Inline { .. })), "{parked:?}");
    let status = engine.status().await.expect("the store is there");
    assert!(status.of::<InlinePrice>().is_some(), "{status:?}");
}
