//! Properties: whatever the history, its batches, and the point at which a writer dies, the rows are those of a fold of the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use annals::prelude::*;
use annals::projection::ProjectionState;
use annals::{CheckpointChange, RowChange, UnitOfWorkStore, WriteError};
use annals_testing::conformance::faulty::{Fault, Faulty};
use fastrand::Rng;

use crate::fold::{Found, folded, keys_of};
use crate::models::{ItemRow, ItemSold, OwnerRenamed, TagCount, What};
use crate::on_each_store;
use crate::stores::{PATIENCE, Store, bus, listed, priced, record};

on_each_store!(
    batches_of_any_size_give_the_rows_of_a_fold,
    writes_that_are_lost_at_random_give_the_rows_of_a_fold,
    a_rebuild_gives_the_rows_of_a_fold,
);

/// What happens to a few items at random; some of it fails.
fn anything(rng: &mut Rng) -> (String, What) {
    let owners = ["Ada", "Bob", "Cid"];
    let owner = |rng: &mut Rng| owners[rng.usize(..owners.len())].to_owned();
    let item = format!("i-{}", rng.u8(..6));
    let what = match rng.u8(..12) {
        0..4 => listed(&owner(rng), rng.i64(0..100)),
        4..8 => priced(rng.i64(-5..100)),
        8 => What::Sold(ItemSold { buyer: owner(rng) }),
        9 => What::Removed,
        _ => What::Renamed(OwnerRenamed { from: owner(rng), to: owner(rng) }),
    };
    (item, what)
}

async fn fill(store: &impl Store, rng: &mut Rng, events: usize) -> Receipt {
    let bus = bus(store);
    let mut last = None;
    for _ in 0..events {
        let (item, what) = anything(rng);
        last = Some(record(&bus, &item, what).await);
    }
    last.expect("there is one")
}

async fn kept(engine: &ProjectionEngine) -> Found {
    let parked = engine.parked::<ItemRow>().await.expect("the store is there");
    let rows = engine.read_models().query::<ItemRow>().fetch().await.expect("rows are read");
    (rows, keys_of(parked))
}

/// Waits until the projection has passed the log's end, parked events or not.
async fn settled(engine: &ProjectionEngine, last: &Receipt) {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let status = engine.status().await.expect("the store is there");
        let status = status.of::<ItemRow>().expect("it is registered");
        if status.position >= last.position {
            return;
        }
        assert_ne!(status.state, ProjectionState::Stopped, "{status:?}");
        assert!(tokio::time::Instant::now() < until, "{status:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn batches_of_any_size_give_the_rows_of_a_fold(store: impl Store) {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let last = fill(&store, &mut rng, 250).await;
    let expected = folded(&store).await;
    assert!(!expected.1.is_empty(), "a history in which nothing fails proves less");
    for batch in [1, 2, 7, 5_000] {
        let engine = ProjectionEngine::builder(store.clone())
            .register::<ItemRow>()
            .retry(RetryPolicy::never())
            .batch(batch);
        let engine = engine.start().await.expect("the engine starts");
        settled(&engine, &last).await;
        assert_eq!(kept(&engine).await, expected, "in batches of {batch}");
        engine.rebuild::<ItemRow>().await.expect("it is the owner");
        assert_eq!(kept(&engine).await, expected, "rebuilt in batches of {batch}");
        engine.shutdown().await.expect("nothing went wrong");
    }
}

async fn a_rebuild_gives_the_rows_of_a_fold(store: impl Store) {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let engine = ProjectionEngine::builder(store.clone())
        .register::<ItemRow>()
        .register::<TagCount>()
        .retry(RetryPolicy::never());
    let engine = engine.start().await.expect("the engine starts");
    for _ in 0..3 {
        let last = fill(&store, &mut rng, 60).await;
        engine.rebuild::<ItemRow>().await.expect("it is the owner");
        settled(&engine, &last).await;
        assert_eq!(kept(&engine).await, folded(&store).await);
    }
}

/// Loses writes before or after they are done.
#[derive(Clone)]
struct Losses(Arc<AtomicUsize>);

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for Losses {
    async fn write_rows(
        &self,
        store: &S,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError> {
        match self.0.fetch_add(1, Ordering::SeqCst) % 3 {
            0 => Err(StoreError::unavailable("lost before it was done").into()),
            1 => {
                store.write_rows(rows, checkpoint).await?;
                Err(StoreError::unavailable("lost after it was done").into())
            }
            _ => store.write_rows(rows, checkpoint).await,
        }
    }
}

async fn writes_that_are_lost_at_random_give_the_rows_of_a_fold(store: impl Store) {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let last = fill(&store, &mut rng, 60).await;
    let faulty = Faulty::new(store.clone(), Losses(Arc::default()));
    let engine = ProjectionEngine::builder(faulty)
        .register::<ItemRow>()
        .retry(RetryPolicy::never())
        .batch(20);
    let engine = engine.start().await.expect("the engine starts");
    settled(&engine, &last).await;
    assert_eq!(kept(&engine).await, folded(&store).await);
}
