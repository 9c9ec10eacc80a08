//! What it costs to build one row anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::{LogPage, UnitOfWorkStore};
use annals_testing::conformance::faulty::{Fault, Faulty};

use crate::models::{ItemId, ItemListed, ItemRow, PriceChanged};
use crate::on_each_store;
use crate::stores::{PATIENCE, Store, bus, listed, priced, record};

on_each_store!(
    a_row_that_follows_its_own_stream_is_built_of_that_alone,
    a_row_that_any_event_may_name_is_built_of_all,
    what_comes_while_a_row_is_built_does_not_wait_for_it,
);

/// Prices alone: each row follows the stream of its item.
#[derive(Debug, Clone, PartialEq, ReadModel)]
#[read_model(table = "own_prices")]
pub struct OwnPrice {
    #[read_model(key)]
    item: ItemId,
    pub price: i64,
}

#[projection]
impl OwnPrice {
    #[on(upsert)]
    fn listed(_: Option<Self>, event: &ItemListed, cx: &EventContext<Self>) -> Self {
        Self { item: cx.key().clone(), price: event.price }
    }

    #[on]
    fn priced(&mut self, event: &PriceChanged) {
        self.price = event.price;
    }
}

/// A store that counts the events that are read of its log.
#[derive(Clone, Default)]
struct Read(Arc<AtomicUsize>);

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for Read {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError> {
        let page = store.log_page(read).await?;
        self.0.fetch_add(page.events.len(), Ordering::SeqCst);
        Ok(page)
    }
}

/// Builds the row of `i-3` anew, and tells how many events went to it, and how many were read for it.
async fn rebuilt<M: Projection<Key = ItemId>>(store: impl Store) -> (u64, usize) {
    let bus = bus(&store);
    for number in 0..10 {
        record(&bus, &format!("i-{number}"), listed("Ada", number)).await;
    }
    let last = record(&bus, "i-3", priced(7)).await;
    let read = Read::default();
    let engine = ProjectionEngine::builder(Faulty::new(store, read.clone())).register::<M>();
    let engine = engine.start().await.expect("the engine starts");
    engine.wait_for::<M>(&last, PATIENCE).await.expect("it comes there");
    let until = Instant::now() + PATIENCE;
    while !engine.status().await.expect("the store is there").projections[0].runs_here {
        assert!(Instant::now() < until, "nobody else owns it");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    read.0.store(0, Ordering::SeqCst);
    let events = engine.rebuild_key::<M>("i-3").await.expect("it is the owner");
    let read = read.0.load(Ordering::SeqCst);
    engine.shutdown().await.expect("nothing went wrong");
    (events, read)
}

async fn a_row_that_follows_its_own_stream_is_built_of_that_alone(store: impl Store) {
    assert_eq!(rebuilt::<OwnPrice>(store).await, (2, 2));
}

async fn a_row_that_any_event_may_name_is_built_of_all(store: impl Store) {
    assert_eq!(rebuilt::<ItemRow>(store).await, (2, 11));
}

/// A store that gives what one stream holds only up to a position, until it is let.
#[derive(Clone)]
struct Held {
    up_to: Arc<AtomicU64>,
    waits: Arc<AtomicUsize>,
}

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for Held {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError> {
        if read.filter.streams.is_some() && read.after.get() >= self.up_to.load(Ordering::SeqCst) {
            self.waits.fetch_add(1, Ordering::SeqCst);
            while read.after.get() >= self.up_to.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        store.log_page(read).await
    }
}

/// What came since it was begun is read beside the projection, too, which goes on meanwhile.
async fn what_comes_while_a_row_is_built_does_not_wait_for_it(store: impl Store) {
    let bus = bus(&store);
    let first = record(&bus, "i-3", listed("Ada", 0)).await;
    let held = Held { up_to: Arc::new(AtomicU64::new(0)), waits: Arc::new(AtomicUsize::new(0)) };
    let engine = ProjectionEngine::builder(Faulty::new(store, held.clone()));
    let engine = engine.register::<OwnPrice>().start().await.expect("the engine starts");
    let passes = async |receipt: &Receipt| {
        engine.wait_for::<OwnPrice>(receipt, PATIENCE).await.expect("it comes there");
    };
    let until_waiting = async |count: usize| {
        let until = Instant::now() + PATIENCE;
        while held.waits.load(Ordering::SeqCst) < count {
            assert!(Instant::now() < until, "nobody reads the row's events");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    passes(&first).await;
    let building = tokio::spawn({
        let engine = engine.clone();
        async move { engine.rebuild_key::<OwnPrice>("i-3").await }
    });
    until_waiting(1).await;
    let mut last = first.clone();
    for price in 1..=10 {
        last = record(&bus, "i-3", priced(price)).await;
    }
    passes(&last).await;
    // What was there when it began may be read, and no more.
    held.up_to.store(first.position.get(), Ordering::SeqCst);
    until_waiting(2).await;
    let last = record(&bus, "i-3", priced(11)).await;
    passes(&last).await;
    held.up_to.store(u64::MAX, Ordering::SeqCst);
    let events = building.await.expect("it does not panic").expect("it is the owner");
    assert_eq!(events, 12);
    let row = engine.read_models().get::<OwnPrice>("i-3").await.expect("the row is read");
    assert_eq!(row.map(|row| row.price), Some(11));
    engine.shutdown().await.expect("nothing went wrong");
}
