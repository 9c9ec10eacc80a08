//! Events that fail: their row waits, in order, all others go on; a person retries or drops them.

use std::time::Duration;

use annals::prelude::*;
use annals::projection::ProjectionState;
use annals::{Append, Expected, NewEvent, Payload};

use crate::models::{Item, ItemId, ItemRow, OwnerRenamed, PriceChanged, What};
use crate::on_each_store;
use crate::stores::{PATIENCE, Store, bus, listed, priced, record, wait};

on_each_store!(
    a_failing_event_parks_its_row_only,
    poison_in_the_middle_of_many_events_parks_only_their_rows,
    parked_events_are_dropped_by_hand,
    a_retry_begins_with_the_event_that_failed,
    what_changes_each_row_waits_for_rows_that_wait,
    parked_events_are_parked_after_a_restart,
    a_failing_event_is_tried_again_with_pauses,
    an_unreadable_event_stops_the_projection_until_it_is_skipped,
);

async fn start(store: &impl Store, retry: RetryPolicy) -> ProjectionEngine {
    ProjectionEngine::builder(store.clone())
        .register::<ItemRow>()
        .retry(retry)
        .polling(Duration::from_millis(50))
        .start()
        .await
        .expect("the engine starts")
}

async fn prices(engine: &ProjectionEngine) -> Vec<(String, i64)> {
    let rows = engine.read_models().query::<ItemRow>().fetch().await.expect("rows are read");
    rows.into_iter().map(|row| (row.item.0, row.price)).collect()
}

async fn a_failing_event_parks_its_row_only(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store, RetryPolicy::never()).await);
    record(&bus, "a", listed("Ada", 1)).await;
    record(&bus, "b", listed("Bob", 1)).await;
    let failed = record(&bus, "a", priced(-1)).await;
    let behind = record(&bus, "a", priced(2)).await;
    let other = record(&bus, "b", priced(2)).await;
    wait(&engine, &other).await;
    assert_eq!(prices(&engine).await, [("a".to_owned(), 1), ("b".to_owned(), 2)]);

    let parked = engine.parked::<ItemRow>().await.expect("the store is there");
    let parked: Vec<_> = parked.iter().map(|event| (&*event.key, event.position)).collect();
    assert_eq!(parked, [("a", failed.position), ("a", behind.position)]);
    let told = engine.wait_for::<ItemRow>(&behind, PATIENCE).await;
    match told {
        Err(ReadModelError::Parked { key, position, error, .. }) => {
            assert_eq!((&*key, position), ("a", failed.position));
            assert!(error.contains("a price of -1 is below zero"), "{error}");
        }
        told => panic!("{told:?}"),
    }
    let status = engine.status().await.expect("the store is there");
    let status = status.of::<ItemRow>().expect("it is registered");
    assert_eq!((status.parked, status.state), (2, ProjectionState::Live));
    assert!(
        status.last_error.as_ref().is_some_and(|error| error.contains("row `a`")),
        "{status:?}"
    );
}

/// 10,000 events of 50 rows, of which five fail in the middle.
async fn poison_in_the_middle_of_many_events_parks_only_their_rows(store: impl Store) {
    const ROUNDS: u64 = 200;
    let mut last = None;
    for round in 0..ROUNDS {
        let appends = (0..50).map(|item| {
            let price = if round == ROUNDS / 2 && item < 5 {
                -1
            } else {
                i64::try_from(round).expect("small")
            };
            let (name, json) = match listed("Ada", price) {
                What::Listed(event) if round == 0 => ("ItemListed", serde_json::to_string(&event)),
                _ => ("PriceChanged", serde_json::to_string(&PriceChanged { price })),
            };
            let data = Payload::new(json.expect("it is JSON"));
            let event = NewEvent::new(uuid::Uuid::now_v7(), name, 1, data);
            let stream = StreamId::of::<Item>(&ItemId(format!("i-{item}")));
            Append::new(stream, Expected::at(round), vec![event])
        });
        let receipts = store.append(appends.collect()).await.expect("it is stored");
        last = receipts.into_iter().next_back();
    }
    let engine = start(&store, RetryPolicy::never()).await;
    let last = last.expect("there is one");
    wait(&engine, &last).await;
    let parked = engine.parked::<ItemRow>().await.expect("the store is there");
    assert_eq!(parked.len(), 5 * 100, "each poisoned row, with what came later");
    let rows = prices(&engine).await;
    let behind = rows.iter().filter(|(_, price)| *price == 99).count();
    let at_the_end = rows.iter().filter(|(_, price)| *price == 199).count();
    assert_eq!((rows.len(), behind, at_the_end), (50, 5, 45));
}

async fn parked_events_are_dropped_by_hand(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store, RetryPolicy::never()).await);
    record(&bus, "a", listed("Ada", 1)).await;
    record(&bus, "a", priced(-1)).await;
    record(&bus, "a", priced(3)).await;
    let other = record(&bus, "b", listed("Bob", 1)).await;
    wait(&engine, &other).await;
    assert_eq!(engine.drop_parked::<ItemRow>("a").await.expect("it is the owner"), 2);
    assert_eq!(engine.drop_parked::<ItemRow>("a").await.expect("it is the owner"), 0);
    let next = record(&bus, "a", priced(4)).await;
    wait(&engine, &next).await;
    assert_eq!(prices(&engine).await[0], ("a".to_owned(), 4));
}

async fn a_retry_begins_with_the_event_that_failed(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store, RetryPolicy::never()).await);
    // It needs a row, and there is none: what fails first will fail again, what came later waits.
    let early = record(&bus, "a", priced(5)).await;
    record(&bus, "a", listed("Ada", 1)).await;
    let other = record(&bus, "b", listed("Bob", 1)).await;
    wait(&engine, &other).await;
    assert_eq!(engine.retry_parked::<ItemRow>("a").await.expect("it is the owner"), 2);
    let parked = engine.parked::<ItemRow>().await.expect("the store is there");
    assert_eq!(parked[0].position, early.position);
    assert!(parked[0].error.contains("there is no row"), "{parked:?}");
    assert_eq!(prices(&engine).await, [("b".to_owned(), 1)]);
    assert_eq!(engine.retry_parked::<ItemRow>("b").await.expect("it is the owner"), 0);
}

async fn what_changes_each_row_waits_for_rows_that_wait(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store, RetryPolicy::never()).await);
    record(&bus, "a", listed("Ada", 1)).await;
    record(&bus, "b", listed("Ada", 1)).await;
    record(&bus, "a", priced(-1)).await;
    let renamed = OwnerRenamed { from: "Ada".into(), to: "Eve".into() };
    record(&bus, "x", What::Renamed(renamed)).await;
    let last = record(&bus, "b", priced(2)).await;
    wait(&engine, &last).await;
    let owner = async |item: &str| {
        let row = engine.read_models().get::<ItemRow>(item).await.expect("the row is read");
        row.map(|row| row.owner)
    };
    assert_eq!(owner("b").await.as_deref(), Some("Eve"));
    assert_eq!(owner("a").await.as_deref(), Some("Ada"), "it waits");
    let parked = engine.parked::<ItemRow>().await.expect("the store is there");
    assert_eq!(parked.len(), 2, "{parked:?}");
}

async fn parked_events_are_parked_after_a_restart(store: impl Store) {
    let bus = bus(&store);
    let engine = start(&store, RetryPolicy::never()).await;
    record(&bus, "a", listed("Ada", 1)).await;
    record(&bus, "a", priced(-1)).await;
    let other = record(&bus, "b", listed("Bob", 1)).await;
    wait(&engine, &other).await;
    engine.shutdown().await.expect("nothing went wrong");
    let engine = start(&store, RetryPolicy::never()).await;
    record(&bus, "a", priced(7)).await;
    let other = record(&bus, "b", priced(2)).await;
    wait(&engine, &other).await;
    assert_eq!(prices(&engine).await, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    assert_eq!(engine.parked::<ItemRow>().await.expect("the store is there").len(), 2);
}

async fn a_failing_event_is_tried_again_with_pauses(store: impl Store) {
    let bus = bus(&store);
    let pause = Duration::from_millis(20);
    let engine = start(&store, RetryPolicy::times(2).with_pause(pause)).await;
    record(&bus, "a", listed("Ada", 1)).await;
    let failed = record(&bus, "a", priced(-1)).await;
    let told = engine.wait_for::<ItemRow>(&failed, PATIENCE).await;
    assert!(matches!(told, Err(ReadModelError::Parked { .. })), "{told:?}");
    let parked = engine.parked::<ItemRow>().await.expect("the store is there");
    assert_eq!((parked.len(), parked[0].attempts, parked[0].retry_at), (1, 3, None));
}

async fn an_unreadable_event_stops_the_projection_until_it_is_skipped(store: impl Store) {
    use annals::{Append, Expected, NewEvent, Payload, Position};

    let (bus, engine) = (bus(&store), start(&store, RetryPolicy::never()).await);
    let first = record(&bus, "a", listed("Ada", 1)).await;
    let broken = NewEvent::new(uuid::Uuid::now_v7(), "PriceChanged", 1, Payload::new("{}"));
    let stream = StreamId::new("projected_item", "b");
    let append = Append::new(stream, Expected::Any, vec![broken]);
    let broken = store.append(vec![append]).await.expect("it is appended").remove(0);
    let after = record(&bus, "c", listed("Cid", 1)).await;
    let told = engine.wait_for::<ItemRow>(&after, PATIENCE).await;
    let Err(ReadModelError::Stopped { reason, .. }) = told else { panic!("{told:?}") };
    for part in
        ["PriceChanged", &format!("position {}", broken.position), "projected_item-b", "price"]
    {
        assert!(reason.contains(part), "{reason}");
    }
    // What came before is done.
    assert_eq!(prices(&engine).await, [("a".to_owned(), 1)]);
    let status = engine.status().await.expect("the store is there");
    let status = status.of::<ItemRow>().expect("it is registered");
    let stopped = (ProjectionState::Stopped, Some(broken.position));
    assert_eq!((status.state, status.stopped_at), stopped);
    let other = engine.skip::<ItemRow>(Position::from(first.position.get())).await;
    assert!(other.is_err(), "only the event at which it has stopped");
    engine.resume::<ItemRow>().await.expect("it is registered");
    let told = engine.wait_for::<ItemRow>(&after, PATIENCE).await;
    assert!(matches!(told, Err(ReadModelError::Stopped { .. })), "nothing was mended: {told:?}");
    engine.skip::<ItemRow>(broken.position).await.expect("it has stopped there");
    wait(&engine, &after).await;
    assert_eq!(prices(&engine).await.len(), 2);
}
