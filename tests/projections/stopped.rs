//! A projection that has stopped: what is passed over by hand, and engines that go on where others stopped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::projection::ProjectionState;
use annals::{
    Append, CheckpointChange, Expected, NewEvent, Payload, RowChange, UnitOfWorkStore, WriteError,
};
use annals_testing::conformance::faulty::{Fault, Faulty};
use tokio::sync::{Notify, Semaphore};

use crate::models::ItemRow;
use crate::on_each_store;
use crate::stores::{PATIENCE, Store, bus, listed, priced, record, wait};

on_each_store!(
    an_event_that_one_engine_skipped_is_not_skipped_back_to_by_another,
    what_is_skipped_is_kept_and_a_rebuild_passes_over_it,
    an_engine_that_stopped_goes_on_when_another_does,
    a_stopped_projection_can_be_rebuilt,
    of_two_engines_of_one_name_one_skips_at_a_time,
);

async fn start(store: &impl Store, polling: Duration) -> ProjectionEngine {
    ProjectionEngine::builder(store.clone())
        .register::<ItemRow>()
        .retry(RetryPolicy::never())
        .polling(polling)
        .start()
        .await
        .expect("the engine starts")
}

const SOON: Duration = Duration::from_millis(20);
const NEVER: Duration = Duration::from_hours(1);

/// Appends what does not read as any event.
pub async fn broken(store: &impl Store, item: &str) -> Receipt {
    let event = NewEvent::new(uuid::Uuid::now_v7(), "PriceChanged", 1, Payload::new("{}"));
    let stream = StreamId::new("projected_item", item);
    let append = Append::new(stream, Expected::Any, vec![event]);
    store.append(vec![append]).await.expect("it is appended").remove(0)
}

pub async fn is(engine: &ProjectionEngine, state: ProjectionState) {
    let is = async {
        while engine.status().await.expect("the store is there").projections[0].state != state {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, is).await;
    waited.unwrap_or_else(|_| panic!("it is not {state:?}"));
}

async fn changes(engine: &ProjectionEngine, item: &str) -> i64 {
    let row = engine.read_models().get::<ItemRow>(item).await.expect("the row is read");
    i64::from(row.expect("there is one").changes)
}

async fn an_event_that_one_engine_skipped_is_not_skipped_back_to_by_another(store: impl Store) {
    let bus = bus(&store);
    record(&bus, "a", listed("Ada", 1)).await;
    let broken = broken(&store, "b").await;
    // The second does not look by itself.
    let (one, two) = (start(&store, SOON).await, start(&store, NEVER).await);
    is(&one, ProjectionState::Stopped).await;
    is(&two, ProjectionState::Stopped).await;
    one.skip::<ItemRow>(broken.position).await.expect("it has stopped there");
    let last = record(&bus, "a", priced(5)).await;
    wait(&one, &last).await;
    one.shutdown().await.expect("it has gone on");
    two.skip::<ItemRow>(broken.position).await.expect("it has stopped there");
    let last = record(&bus, "a", priced(6)).await;
    wait(&two, &last).await;
    assert_eq!(changes(&two, "a").await, 2, "each event once");
}

/// A store that takes what is skipped only once it is let.
#[derive(Clone)]
struct Held {
    has_come: Arc<Notify>,
    is_let: Arc<Semaphore>,
}

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for Held {
    async fn write_rows(
        &self,
        store: &S,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError> {
        if rows.iter().any(|change| matches!(change, RowChange::Park(_))) {
            self.has_come.notify_one();
            let _let = self.is_let.acquire().await.expect("it is never closed");
        }
        store.write_rows(rows, checkpoint).await
    }
}

/// What one holds while it skips, another does not, though they go by one name.
async fn of_two_engines_of_one_name_one_skips_at_a_time(store: impl Store) {
    let bus = bus(&store);
    record(&bus, "a", listed("Ada", 1)).await;
    let broken = broken(&store, "b").await;
    let held = Held { has_come: Arc::default(), is_let: Arc::new(Semaphore::new(0)) };
    let store = Faulty::new(store, held.clone());
    let engine = || {
        let engine = ProjectionEngine::builder(store.clone()).register::<ItemRow>().name("same");
        engine.retry(RetryPolicy::never()).polling(NEVER).lease(PATIENCE).start()
    };
    let one = engine().await.expect("the engine starts");
    is(&one, ProjectionState::Stopped).await;
    let two = engine().await.expect("the engine starts");
    is(&two, ProjectionState::Stopped).await;
    let first = one.skip::<ItemRow>(broken.position);
    let second = async {
        held.has_come.notified().await;
        let second = two.skip::<ItemRow>(broken.position);
        let second = tokio::time::timeout(PATIENCE, second).await;
        held.is_let.add_permits(1);
        second
    };
    let (first, second) = tokio::join!(first, second);
    first.expect("it has stopped there");
    assert!(matches!(second, Ok(Err(EngineError::NotOwner { .. }))), "{second:?}");
    let last = record(&bus, "a", priced(5)).await;
    wait(&one, &last).await;
    one.shutdown().await.expect("it has gone on");
}

async fn what_is_skipped_is_kept_and_a_rebuild_passes_over_it(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store, SOON).await);
    record(&bus, "a", listed("Ada", 1)).await;
    record(&bus, "b", listed("Bob", 7)).await;
    let broken = broken(&store, "b").await;
    is(&engine, ProjectionState::Stopped).await;
    assert!(engine.skipped::<ItemRow>().await.expect("the store is there").is_empty());
    engine.skip::<ItemRow>(broken.position).await.expect("it has stopped there");
    let last = record(&bus, "a", priced(5)).await;
    wait(&engine, &last).await;
    let skipped = engine.skipped::<ItemRow>().await.expect("the store is there");
    assert_eq!(skipped.len(), 1);
    assert_eq!((&skipped[0].stream_id, skipped[0].position), (&broken.stream_id, broken.position));
    assert_eq!(skipped[0].event_type, "PriceChanged");
    assert!(skipped[0].error.contains("price"), "{skipped:?}");
    let built = engine.rebuild_key::<ItemRow>("b").await;
    assert_eq!(built.expect("a row of it passes over the event, too"), 1);
    engine.rebuild::<ItemRow>().await.expect("it passes over the event");
    assert_eq!(changes(&engine, "a").await, 1);
    let live = engine.live::<ItemRow>("b").await.expect("it passes over the event, too");
    assert_eq!(live.map(|row| row.price), Some(7));
    assert_eq!(engine.skipped::<ItemRow>().await.expect("the store is there"), skipped);
}

async fn an_engine_that_stopped_goes_on_when_another_does(store: impl Store) {
    let bus = bus(&store);
    record(&bus, "a", listed("Ada", 1)).await;
    let broken = broken(&store, "b").await;
    let (one, two) = (start(&store, SOON).await, start(&store, SOON).await);
    is(&one, ProjectionState::Stopped).await;
    is(&two, ProjectionState::Stopped).await;
    one.skip::<ItemRow>(broken.position).await.expect("it has stopped there");
    let last = record(&bus, "a", priced(5)).await;
    wait(&one, &last).await;
    wait(&two, &last).await;
    // Whichever is quicker has it now, and the other stands by.
    let state = async |engine: &ProjectionEngine| {
        engine.status().await.expect("the store is there").projections[0].state
    };
    let until = Instant::now() + PATIENCE;
    let (owner, other) = loop {
        match (state(&one).await, state(&two).await) {
            (ProjectionState::Live, ProjectionState::Waiting) => break (one, two),
            (ProjectionState::Waiting, ProjectionState::Live) => break (two, one),
            states => assert!(Instant::now() < until, "{states:?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    owner.shutdown().await.expect("it has gone on");
    let last = record(&bus, "a", priced(6)).await;
    wait(&other, &last).await;
    assert_eq!(changes(&other, "a").await, 2);
    other.shutdown().await.expect("it has gone on");
}

async fn a_stopped_projection_can_be_rebuilt(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store, NEVER).await);
    record(&bus, "a", listed("Ada", 1)).await;
    let broken = broken(&store, "b").await;
    is(&engine, ProjectionState::Stopped).await;
    let refused = engine.rebuild::<ItemRow>().await;
    assert!(matches!(refused, Err(EngineError::Event { .. })), "{refused:?}");
    // Another engine skips it, which this one does not see by itself.
    let other = start(&store, SOON).await;
    is(&other, ProjectionState::Stopped).await;
    other.skip::<ItemRow>(broken.position).await.expect("it has stopped there");
    other.shutdown().await.expect("it has gone on");
    is(&engine, ProjectionState::Stopped).await;
    engine.rebuild::<ItemRow>().await.expect("a rebuild is the cure");
    let last = record(&bus, "a", priced(5)).await;
    wait(&engine, &last).await;
    assert_eq!(changes(&engine, "a").await, 1);
    is(&engine, ProjectionState::Live).await;
    let status = engine.status().await.expect("the store is there");
    assert_eq!(status.of::<ItemRow>().expect("it is registered").generation, 2);
    engine.shutdown().await.expect("it has gone on");
}
