//! Stores that fail for a while: an engine goes on where it is, by what is kept, and stops only if nothing goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use annals::prelude::*;
use annals::projection::ProjectionState;
use annals::{CheckpointChange, CheckpointId, Fence, RowChange, UnitOfWorkStore, WriteError};
use annals_testing::conformance::faulty::{Fault, Faulty};

use crate::models::ItemRow;
use crate::on_each_store;
use crate::stores::{PATIENCE, Store, bus, listed, priced, record, wait};

on_each_store!(
    an_owner_whose_lease_ran_out_looks_again_what_is_parked,
    failures_with_progress_in_between_stop_nothing,
    a_rebuild_waits_for_an_owner_that_has_lost_its_lease_for_a_moment,
);

/// An outage of leases alone.
#[derive(Clone, Default)]
struct NoLeases {
    is_on: Arc<AtomicBool>,
    claimed: Arc<AtomicUsize>,
}

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for NoLeases {
    async fn claim_lease(
        &self,
        store: &S,
        id: &CheckpointId,
        owner: &str,
        lifetime: Duration,
    ) -> Result<Option<Fence>, StoreError> {
        if self.is_on.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("no leases"));
        }
        let fence = store.claim_lease(id, owner, lifetime).await?;
        // Seats are leases, too.
        if fence.is_some() && id.name.ends_with("/1") {
            self.claimed.fetch_add(1, Ordering::SeqCst);
        }
        Ok(fence)
    }
}

async fn start(store: impl Store, lease: Duration) -> ProjectionEngine {
    let engine = ProjectionEngine::builder(store).register::<ItemRow>();
    engine.retry(RetryPolicy::never()).lease(lease).start().await.expect("the engine starts")
}

async fn is_owner(engine: &ProjectionEngine) {
    loop {
        let status = engine.status().await.expect("the store is there");
        if status.of::<ItemRow>().expect("it is registered").runs_here {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn an_owner_whose_lease_ran_out_looks_again_what_is_parked(store: impl Store) {
    let bus = bus(&store);
    record(&bus, "a", listed("Ada", 1)).await;
    record(&bus, "a", priced(-1)).await;
    let last = record(&bus, "b", listed("Bob", 1)).await;
    let first = start(store.clone(), PATIENCE).await;
    wait(&first, &last).await;
    first.shutdown().await.expect("nothing went wrong");

    let outage = NoLeases::default();
    // Its lease alone has to run out.
    let short = Duration::from_millis(150);
    let engine = start(Faulty::new(store.clone(), outage.clone()), short).await;
    is_owner(&engine).await;
    outage.is_on.store(true, Ordering::SeqCst);
    let other = start(store.clone(), PATIENCE).await;
    is_owner(&other).await;
    assert_eq!(other.drop_parked::<ItemRow>("a").await.expect("it is the owner"), 1);
    other.shutdown().await.expect("nothing went wrong");
    let before = outage.claimed.load(Ordering::SeqCst);
    outage.is_on.store(false, Ordering::SeqCst);
    while outage.claimed.load(Ordering::SeqCst) == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Nothing waits any more for what the other has dropped.
    let priced = record(&bus, "a", priced(7)).await;
    wait(&engine, &priced).await;
}

/// Refuses every second write, for no reason that could be borne.
struct EverySecond(AtomicUsize);

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for EverySecond {
    async fn write_rows(
        &self,
        store: &S,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError> {
        if self.0.fetch_add(1, Ordering::SeqCst) % 2 == 1 {
            return Err(StoreError::other("refused").into());
        }
        store.write_rows(rows, checkpoint).await
    }
}

async fn failures_with_progress_in_between_stop_nothing(store: impl Store) {
    let bus = bus(&store);
    let mut last = record(&bus, "a", listed("Ada", 1)).await;
    for price in 0..20 {
        last = record(&bus, "a", priced(price)).await;
    }
    let faulty = Faulty::new(store, EverySecond(AtomicUsize::new(0)));
    let engine = ProjectionEngine::builder(faulty).register::<ItemRow>().batch(1);
    let engine = engine.start().await.expect("the engine starts");
    wait(&engine, &last).await;
    engine.rebuild::<ItemRow>().await.expect("it is borne there, too");
    let status = engine.status().await.expect("the store is there");
    let status = status.of::<ItemRow>().expect("it is registered");
    assert_ne!(status.state, ProjectionState::Stopped, "{status:?}");
}

/// Refuses so many writes of the rows that answer at first.
#[derive(Clone, Default)]
struct First(Arc<AtomicUsize>);

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for First {
    async fn write_rows(
        &self,
        store: &S,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError> {
        let one_less = |left: usize| left.checked_sub(1);
        if checkpoint.fence.id.name.ends_with("/1")
            && self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
        {
            return Err(StoreError::unavailable("not now").into());
        }
        store.write_rows(rows, checkpoint).await
    }
}

async fn a_rebuild_waits_for_an_owner_that_has_lost_its_lease_for_a_moment(store: impl Store) {
    let (bus, refused) = (bus(&store), First::default());
    let engine = ProjectionEngine::builder(Faulty::new(store, refused.clone()));
    let engine = engine.register::<ItemRow>().start().await.expect("the engine starts");
    let first = record(&bus, "a", listed("Ada", 1)).await;
    wait(&engine, &first).await;
    refused.0.store(5, Ordering::SeqCst);
    let last = record(&bus, "a", priced(2)).await;
    while refused.0.load(Ordering::SeqCst) > 4 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    engine.rebuild::<ItemRow>().await.expect("it is the owner again");
    wait(&engine, &last).await;
}
