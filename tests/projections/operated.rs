//! What operators do with rows, beside rebuilds of all: one row anew, rebuilds that write nothing, and what-if.

use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::projection::{
    DifferenceKind, Operator, ProjectionEngineBuilder, RebuildLoad, RebuildState, projector,
};
use annals::read_model::{Row, Value};
use annals::{CheckpointChange, Payload, RowChange};
use serde::{Deserialize, Serialize};

use crate::models::{ItemId, ItemListed, ItemRow, PriceChanged};
use crate::on_each_store;
use crate::stores::{PATIENCE, Store, bus, listed, priced, record, wait};

on_each_store!(
    one_row_is_built_anew_while_its_projection_runs,
    a_row_that_is_built_anew_takes_its_parked_events_along,
    an_operator_asks_for_one_row,
    a_dry_run_tells_what_would_differ_and_writes_nothing,
    a_dry_run_compares_at_one_position_while_others_write,
    what_if_reads_another_definition_over_history,
    a_row_that_no_event_explains_goes,
);

#[derive(Debug, thiserror::Error)]
#[error("a price of {0} is below zero")]
struct BelowZero(i64);

pub const SOON: Duration = Duration::from_millis(20);

macro_rules! release {
    ($name:ident, $version:literal, $price:ident, $times:literal) => {
        pub mod $name {
            use super::*;

            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
            #[read_model(table = "operated")]
            pub struct Operated {
                #[read_model(key)]
                pub item: ItemId,
                pub $price: i64,
                #[read_model(json)]
                pub tags: Vec<String>,
            }

            #[projection(name = "operated", version = $version)]
            impl Operated {
                #[on(upsert)]
                fn listed(_: Option<Self>, event: &ItemListed, cx: &EventContext<Self>) -> Self {
                    let ($price, tags) = (event.price * $times, event.tags.clone());
                    Self { item: cx.key().clone(), $price, tags }
                }

                #[on]
                fn priced(&mut self, event: &PriceChanged) -> Result<(), BelowZero> {
                    if event.price < 0 && $times == 1 {
                        return Err(BelowZero(event.price));
                    }
                    self.$price = event.price * $times;
                    Ok(())
                }
            }
        }
    };
}

// A step that is wrong, and that is mended: no definition shows it.
release!(wrong, 1, price, 1);
release!(mended, 1, price, 2);
release!(next, 2, cents, 100);
// A definition that was changed, and kept its version.
release!(changed, 1, amount, 1);

pub fn builder<M: Projection>(store: &impl Store) -> ProjectionEngineBuilder {
    ProjectionEngine::builder(store.clone())
        .register::<M>()
        .polling(SOON)
        .lease(PATIENCE)
        .retry(RetryPolicy::never())
}

pub async fn start<M: Projection>(store: &impl Store) -> ProjectionEngine {
    builder::<M>(store).start().await.expect("the engine starts")
}

pub fn operator<M: Projection>(store: &impl Store) -> Operator {
    builder::<M>(store).operator().expect("nothing clashes")
}

pub async fn prices(store: &impl Store) -> Vec<(String, i64)> {
    let models = ReadModels::new(store.clone());
    let rows = models.query::<wrong::Operated>().fetch().await.expect("rows are read");
    rows.into_iter().map(|row| (row.item.0, row.price)).collect()
}

/// Rows of a release whose steps are wrong, which then gives way to the one where they are mended.
pub async fn filled(store: &impl Store) -> Receipt {
    let (bus, engine) = (bus(store), start::<wrong::Operated>(store).await);
    for item in ["a", "b", "c"] {
        record(&bus, item, listed("Ada", 1)).await;
    }
    let last = record(&bus, "b", priced(5)).await;
    engine.wait_for::<wrong::Operated>(&last, PATIENCE).await.expect("it comes there");
    engine.shutdown().await.expect("nothing went wrong");
    last
}

async fn one_row_is_built_anew_while_its_projection_runs(store: impl Store) {
    let last = filled(&store).await;
    let engine = start::<mended::Operated>(&store).await;
    engine.wait_for::<mended::Operated>(&last, PATIENCE).await.expect("it is there");
    owns(&engine).await;
    let events = engine.rebuild_key::<mended::Operated>("b").await.expect("it is the owner");
    assert_eq!(events, 2);
    assert_eq!(prices(&store).await, [("a".into(), 1), ("b".into(), 10), ("c".into(), 1)]);
    let none = engine.rebuild_key::<mended::Operated>("z").await;
    assert!(matches!(none, Err(EngineError::NoEvents { .. })), "{none:?}");
    // The projection goes on with it.
    let last = record(&bus(&store), "b", priced(6)).await;
    engine.wait_for::<mended::Operated>(&last, PATIENCE).await.expect("it comes there");
    assert_eq!(prices(&store).await[1], ("b".into(), 12));
    let other = start::<mended::Operated>(&store).await;
    let refused = other.rebuild_key::<mended::Operated>("b").await;
    assert!(matches!(refused, Err(EngineError::NotOwner { .. })), "{refused:?}");
    other.shutdown().await.expect("nothing went wrong");
    engine.shutdown().await.expect("nothing went wrong");
}

/// Waits until an engine owns what it runs.
pub async fn owns(engine: &ProjectionEngine) {
    let until = Instant::now() + PATIENCE;
    while !engine.status().await.expect("the store is there").projections[0].runs_here {
        assert!(Instant::now() < until, "another one is the owner");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn a_row_that_is_built_anew_takes_its_parked_events_along(store: impl Store) {
    filled(&store).await;
    let (bus, engine) = (bus(&store), start::<wrong::Operated>(&store).await);
    let failed = record(&bus, "b", priced(-1)).await;
    record(&bus, "b", priced(9)).await;
    let last = record(&bus, "c", priced(3)).await;
    engine.wait_for::<wrong::Operated>(&last, PATIENCE).await.expect("it comes there");
    let parked = engine.parked::<wrong::Operated>().await.expect("the store is there");
    assert_eq!((parked.len(), parked[0].position), (2, failed.position));
    // It fails anew, and waits as it did.
    owns(&engine).await;
    engine.rebuild_key::<wrong::Operated>("b").await.expect("it is the owner");
    let again = engine.parked::<wrong::Operated>().await.expect("the store is there");
    let of = |parked: &[annals::projection::ParkedEvent]| -> Vec<_> {
        parked.iter().map(|event| (event.position, event.error.clone())).collect()
    };
    assert_eq!(of(&again), of(&parked));
    assert_eq!(prices(&store).await, [("a".into(), 1), ("b".into(), 5), ("c".into(), 3)]);
    engine.shutdown().await.expect("nothing went wrong");

    let engine = start::<mended::Operated>(&store).await;
    owns(&engine).await;
    engine.rebuild_key::<mended::Operated>("b").await.expect("it is the owner");
    assert!(engine.parked::<mended::Operated>().await.expect("the store is there").is_empty());
    assert_eq!(prices(&store).await[1], ("b".into(), 18));
    let last = record(&bus, "b", priced(7)).await;
    engine.wait_for::<mended::Operated>(&last, PATIENCE).await.expect("nothing waits");
    assert_eq!(prices(&store).await[1], ("b".into(), 14));
    engine.shutdown().await.expect("nothing went wrong");
}

async fn an_operator_asks_for_one_row(store: impl Store) {
    filled(&store).await;
    let operator = operator::<mended::Operated>(&store);
    let load = RebuildLoad::unlimited();
    let asked =
        operator.begin_rebuild_key("operated", 1, "b", load).await.expect("it is registered");
    assert_eq!((asked.state, asked.key.as_deref()), (RebuildState::Asked, Some("b")));
    operator.begin_rebuild_key("operated", 1, "z", load).await.expect("nobody has looked yet");
    let again = operator.begin_rebuild_key("operated", 1, "b", load).await;
    assert!(matches!(again, Err(EngineError::Rebuilding { .. })), "{again:?}");
    let engine = start::<mended::Operated>(&store).await;
    let until = Instant::now() + PATIENCE;
    let done = loop {
        let rebuilds = operator.rebuilds().await.expect("the store is there");
        if rebuilds.iter().all(|rebuild| !rebuild.state.is_under_way()) {
            break rebuilds;
        }
        assert!(Instant::now() < until, "{rebuilds:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let told: Vec<_> = done.iter().map(|one| (one.key.as_deref(), one.state, one.events)).collect();
    assert!(told.contains(&(Some("b"), RebuildState::Done, 2)), "{told:?}");
    assert!(told.contains(&(Some("z"), RebuildState::Failed, 0)), "{told:?}");
    assert_eq!(prices(&store).await, [("a".into(), 1), ("b".into(), 10), ("c".into(), 1)]);
    engine.shutdown().await.expect("nothing went wrong");
}

async fn a_dry_run_tells_what_would_differ_and_writes_nothing(store: impl Store) {
    let last = filled(&store).await;
    let operator = operator::<mended::Operated>(&store);
    let found = operator.rebuild_dry_run("operated", 1).await.expect("it is prepared");
    assert_eq!((found.position, found.rows, found.different), (last.position, 3, 3));
    assert_eq!((found.same, found.only_old, found.only_new), (0, 0, 0));
    assert!(!found.is_none());
    let b = found.first.iter().find(|row| row.key == "b").expect("it differs");
    let DifferenceKind::Columns(columns) = &b.kind else { panic!("{b:?}") };
    let told: Vec<_> = columns.iter().map(|one| (&*one.column, &*one.old, &*one.new)).collect();
    assert_eq!(told, [("price", "5", "10")]);
    assert_eq!(prices(&store).await, [("a".into(), 1), ("b".into(), 5), ("c".into(), 1)]);
    let catalog = operator.catalog().await.expect("the store is there");
    assert_eq!((catalog.len(), catalog[0].generation, catalog[0].building), (1, 1, None));

    operator.rebuild("operated", 1, RebuildLoad::unlimited()).await.expect("nobody runs it");
    let found = operator.rebuild_dry_run("operated", 1).await.expect("it is prepared");
    assert!(found.is_none(), "{found:?}");
    assert_eq!(found.same, 3);
}

async fn a_dry_run_compares_at_one_position_while_others_write(store: impl Store) {
    let (bus, engine) = (bus(&store), start::<ItemRow>(&store).await);
    let first = record(&bus, "i-0", listed("Ada", 0)).await;
    wait(&engine, &first).await;
    let writer = tokio::spawn(async move {
        let mut last = None;
        for number in 0..200 {
            let item = format!("i-{}", number % 30);
            let what = if number < 30 { listed("Ada", number) } else { priced(number) };
            last = Some(record(&bus, &item, what).await);
        }
        last.expect("there is one")
    });
    let mut positions = Vec::new();
    while positions.len() < 3 || !writer.is_finished() {
        let found = engine.rebuild_dry_run::<ItemRow>().await.expect("it is prepared");
        assert!(found.is_none(), "{found:?}");
        assert_eq!(found.same, found.rows);
        positions.push(found.position);
    }
    let last = writer.await.expect("the writer wrote");
    wait(&engine, &last).await;
    let found = engine.rebuild_dry_run::<ItemRow>().await.expect("it is prepared");
    assert_eq!((found.position, found.same), (last.position, 30));
    engine.shutdown().await.expect("nothing went wrong");
}

async fn what_if_reads_another_definition_over_history(store: impl Store) {
    let last = filled(&store).await;
    record(&bus(&store), "d", listed("Eve", 7)).await;
    let operator = operator::<wrong::Operated>(&store);
    let rows = operator.what_if::<next::Operated>().await.expect("it is folded");
    let cents = async |rows: &annals::projection::WhatIfRows| -> Vec<i64> {
        let found = rows.read_models().query::<next::Operated>().fetch().await;
        found.expect("rows are read").into_iter().map(|row| row.cents).collect()
    };
    assert_eq!(cents(&rows).await, [100, 500, 100, 700]);
    assert_eq!(rows.position(), store.head().await.expect("the store is there"));
    let before = operator.what_if::<next::Operated>().until(last.position).await;
    let before = before.expect("it is folded");
    assert_eq!((cents(&before).await.len(), before.position()), (3, last.position));
    let refused = operator.what_if::<next::Operated>().rows_at_most(3).await;
    let refused = annals::projection::chain(&refused.expect_err("there are four"));
    assert!(refused.contains("more than 3 rows"), "{refused}");
    // Nothing of it is kept.
    let catalog = operator.catalog().await.expect("the store is there");
    assert_eq!(catalog.iter().map(|entry| entry.version).collect::<Vec<_>>(), [1]);
}

async fn a_row_that_no_event_explains_goes(store: impl Store) {
    let last = filled(&store).await;
    // As somebody writes it by hand.
    let projector = projector::<wrong::Operated>();
    let definition = projector.definition();
    let (reader, table) = (definition.reader(1), definition.table_of(1).expect("it has rows"));
    let fence = store.claim_lease(&reader, "person", PATIENCE).await.expect("the store is there");
    let fence = fence.expect("nobody has it");
    let row = Row(vec![
        Value::Text("ghost".to_owned()),
        Value::Integer(1),
        Value::Json(Payload::new("[]")),
    ]);
    let change = CheckpointChange { fence: fence.clone(), position: last.position };
    let rows = vec![RowChange::Upsert { table, row }];
    store.write_rows(rows, change).await.expect("the store is there");
    store.release_lease(&fence).await.expect("the store is there");
    let engine = start::<wrong::Operated>(&store).await;
    owns(&engine).await;
    let explained = [("a".into(), 1), ("b".into(), 5), ("c".into(), 1)];
    assert_ne!(prices(&store).await, explained);
    let events = engine.rebuild_key::<wrong::Operated>("ghost").await.expect("it is the owner");
    assert_eq!((events, prices(&store).await), (0, explained.to_vec()));
    let none = engine.rebuild_key::<wrong::Operated>("ghost").await;
    assert!(matches!(none, Err(EngineError::NoEvents { .. })), "{none:?}");
    engine.shutdown().await.expect("nothing went wrong");
}
