//! What is tried out beside all that is kept: how it is read, compared, told and bounded, and that nothing of it is left.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::projection::{
    DifferenceKind, FoldProgress, Operator, ProjectionEngineBuilder, RebuildLoad, Tables, projector,
};
use annals::read_model::{ModelTable, Select};
use annals::{Append, CheckpointId, Expected, InspectedStore, NewEvent, Payload, StreamId};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::models::{ItemId, ItemListed};
use crate::on_each_store;
use crate::stores::{PATIENCE, Store};

on_each_store!(
    rows_are_compared_page_by_page,
    how_far_it_has_come_is_told,
    rows_stay_for_as_long_as_somebody_reads_them,
    a_fold_that_is_dropped_leaves_nothing,
    what_others_have_left_goes,
    where_no_tables_may_be_made_rows_are_in_memory,
);

/// More than a page, and no multiple of one.
const ITEMS: u64 = 2_301;

macro_rules! release {
    ($name:ident, |$price:ident| $gives:expr) => {
        mod $name {
            use super::*;

            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
            #[read_model(table = "tried_out")]
            pub struct Tried {
                #[read_model(key)]
                pub item: ItemId,
                pub price: i64,
            }

            #[projection(name = "tried_out")]
            impl Tried {
                #[on(upsert)]
                fn listed(
                    _: Option<Self>,
                    event: &ItemListed,
                    cx: &EventContext<Self>,
                ) -> Option<Self> {
                    let $price = event.price;
                    let price: Option<i64> = $gives;
                    Some(Self { item: cx.key().clone(), price: price? })
                }
            }
        }
    };
}

// Each leaves out what the other has, and makes something else of some.
release!(now, |price| (price % 7 != 0).then_some(price));
release!(then, |price| (price % 5 != 0).then_some(if price % 3 == 0 { -price } else { price }));

/// A log of many items, each with its number as its price.
async fn filled(store: &impl Store) {
    let appends = (0..ITEMS).map(|number| {
        let event = serde_json::json!({ "owner": "Ada", "price": number, "tags": [] });
        let event =
            NewEvent::new(uuid::Uuid::now_v7(), "ItemListed", 1, Payload::new(event.to_string()));
        let stream = StreamId::new("projected_item", format!("i-{number:05}"));
        Append::new(stream, Expected::NoStream, vec![event])
    });
    let appends: Vec<Append> = appends.collect();
    for some in appends.chunks(500) {
        store.append(some.to_vec()).await.expect("the events are appended");
    }
}

fn builder<M: Projection>(store: &impl Store) -> ProjectionEngineBuilder {
    ProjectionEngine::builder(store.clone()).register::<M>()
}

fn operator(store: &impl Store) -> Operator {
    builder::<then::Tried>(store).operator().expect("nothing clashes")
}

/// How many there are that fold something aside, or have died of it.
async fn folding(store: &impl Store) -> usize {
    store.leases(CheckpointId::SCRATCH).await.expect("the store is there").len()
}

/// Waits until no reader that folded aside is left, not even one whose lease was given up.
async fn until_nothing_is_left(store: &(impl Store + InspectedStore)) {
    let until = Instant::now() + PATIENCE;
    let is_left = async || {
        let readers = store.readers().await.expect("the store is there");
        readers.iter().any(|reader| reader.id.name.starts_with(CheckpointId::SCRATCH))
    };
    while is_left().await {
        assert!(Instant::now() < until, "something is left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(folding(store).await, 0);
}

async fn rows_are_compared_page_by_page(store: impl Store + InspectedStore) {
    filled(&store).await;
    let engine = builder::<now::Tried>(&store).start().await.expect("the engine starts");
    engine.rebuild::<now::Tried>().await.expect("it is built");
    engine.shutdown().await.expect("nothing went wrong");
    let found = operator(&store).rebuild_dry_run("tried_out", 1).await.expect("it is folded");
    let is_now = |price: &u64| !price.is_multiple_of(7);
    let is_then = |price: &u64| !price.is_multiple_of(5);
    let count = |is_it: &dyn Fn(&u64) -> bool| (0..ITEMS).filter(is_it).count() as u64;
    assert_eq!(found.rows, count(&is_now));
    assert_eq!(found.only_old, count(&|price| is_now(price) && !is_then(price)));
    assert_eq!(found.only_new, count(&|price| !is_now(price) && is_then(price)));
    let is_changed = |price: &u64| is_now(price) && is_then(price) && price.is_multiple_of(3);
    assert_eq!(found.different, count(&is_changed));
    assert_eq!(found.same, found.rows - found.only_old - found.different);
    let first: Vec<_> = found.first.iter().take(3).map(|row| (&*row.key, &row.kind)).collect();
    let [("i-00003", DifferenceKind::Columns(_)), five, six] = &first[..] else {
        panic!("{first:?}")
    };
    assert_eq!(*five, ("i-00005", &DifferenceKind::OnlyOld));
    assert_eq!(six.0, "i-00006");
    until_nothing_is_left(&store).await;
}

async fn how_far_it_has_come_is_told(store: impl Store) {
    filled(&store).await;
    let told = Arc::new(Mutex::new(Vec::<FoldProgress>::new()));
    let hears = told.clone();
    let rows = operator(&store)
        .what_if::<now::Tried>()
        .load(RebuildLoad::unlimited().batch(100).connections(1).pause(Duration::from_millis(20)))
        .on_progress(move |progress| hears.lock().expect("nobody panics").push(*progress))
        .await
        .expect("it is folded");
    let told = told.lock().expect("nobody panics").clone();
    let last = told.last().expect("it is told at the end");
    assert_eq!((last.events, last.of), (ITEMS, ITEMS));
    assert_eq!(last.position, rows.position());
    // It rests for nearly half a second in all, and tells some times a second.
    assert!(told.len() > 1 && told[0].events < last.events, "{told:?}");
    assert!(told.iter().all(|one| one.of == last.of), "{told:?}");
}

async fn rows_stay_for_as_long_as_somebody_reads_them(store: impl Store + InspectedStore) {
    filled(&store).await;
    let rows = operator(&store).what_if::<now::Tried>().await.expect("it is folded");
    let models = rows.read_models().clone();
    rows.close().await.expect("somebody else has them");
    let price = models.get::<now::Tried>("i-00008").await.expect("read").map(|row| row.price);
    assert_eq!(price, Some(8));
    assert_eq!(folding(&store).await, 1);
    // What others fold leaves them alone.
    let others = operator(&store).what_if::<then::Tried>().await.expect("it is folded");
    let least = others.read_models().query::<then::Tried>().limit(1).fetch().await.expect("read");
    assert_eq!(least[0].price, 1);
    others.close().await.expect("nobody else has them");
    assert!(models.query::<now::Tried>().count().await.expect("read") > 1_000);
    drop(models);
    until_nothing_is_left(&store).await;
    // Nothing of it is kept: there are no rows under the model's name.
    let kept = ReadModels::new(store).query::<now::Tried>().count().await;
    assert!(matches!(kept, Err(ReadModelError::Missing { .. })), "{kept:?}");
}

async fn a_fold_that_is_dropped_leaves_nothing(store: impl Store + InspectedStore) {
    filled(&store).await;
    let load = RebuildLoad::unlimited().batch(10).pause(Duration::from_hours(1));
    let operator = operator(&store);
    let begun = Arc::new(Notify::new());
    let fold = operator.what_if::<now::Tried>().load(load);
    let fold = fold.on_progress({
        let begun = begun.clone();
        move |_| begun.notify_one()
    });
    tokio::select! {
        _ = async { fold.await } => panic!("it rests for an hour"),
        () = begun.notified() => {}
    }
    until_nothing_is_left(&store).await;
}

async fn what_others_have_left_goes(store: impl Store) {
    filled(&store).await;
    let projector = projector::<now::Tried>();
    let (definition, generation) = (projector.definition(), ModelTable::FIRST_SCRATCH + 1);
    let table = definition.table_of(generation).expect("it has rows");
    let left = async || {
        let reader = definition.reader(generation);
        let lease = store.claim_lease(&reader, "dead", Duration::from_millis(1)).await;
        lease.expect("the store is there").expect("nobody has it");
        store.begin_scratch(definition, generation).await.expect("it is made");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let is_there = async || {
        let rows = store.select_scratch(&table, &Select::all(table.table)).await;
        rows.expect("the store is there").is_some()
    };
    left().await;
    assert!(is_there().await, "nobody has come by yet");
    operator(&store).prune().await.expect("there is nothing else");
    assert!(!is_there().await, "it is left by a prune");
    left().await;
    let rows = operator(&store).what_if::<now::Tried>().await.expect("it is folded");
    assert!(!is_there().await, "it is left by the next who folds");
    rows.close().await.expect("nobody else has them");
}

async fn where_no_tables_may_be_made_rows_are_in_memory(store: impl Store) {
    filled(&store).await;
    let operator = builder::<then::Tried>(&store).tables(Tables::Awaited).operator();
    let operator = operator.expect("nothing clashes");
    let rows = operator.what_if::<now::Tried>().await.expect("it is folded");
    assert_eq!(folding(&store).await, 0);
    let count = rows.read_models().query::<now::Tried>().count().await.expect("read");
    assert_eq!(count, (0..ITEMS).filter(|price| !price.is_multiple_of(7)).count() as u64);
}
