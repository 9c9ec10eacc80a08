//! Rows of inline projections that an engine writes: those of streams that nobody who knows the projection appended to.

use std::sync::Mutex;
use std::time::Duration;

use annals::prelude::*;
use annals::projection::ProjectionState;
use annals::{CheckpointId, Fence, UnitOfWork, WriteError};
use annals_testing::conformance::faulty::{Fault, Faulty};

use crate::inline::InlinePrice;
use crate::on_each_store;
use crate::stores::{PATIENCE, Store, bus, listed, priced, record};

on_each_store!(
    a_stream_that_fails_holds_up_no_other,
    streams_that_a_program_of_before_begins_later_are_written,
    what_an_inline_projection_cannot_be_asked_says_so,
    the_lease_is_renewed_while_a_row_is_written,
    no_row_is_written_under_a_lease_that_is_lost,
    a_rebuild_ends_with_its_lease_whatever_it_waits_for,
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

/// What happens while a row is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    /// It takes until the lease is renewed.
    Renewed,
    /// Another owner takes the lease.
    Taken,
    /// The same, and the store does not answer.
    TakenInSilence,
}

/// A store in which something happens while a row is written.
struct Rows {
    meanwhile: Mutex<Meanwhile>,
    /// What the lease was claimed as, in their order.
    claimed: Mutex<Vec<Fence>>,
    /// What became of rows that were written meanwhile.
    written: Mutex<Vec<Result<(), WriteError>>>,
}

impl Rows {
    fn new() -> Self {
        let (claimed, written) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        Self { meanwhile: Mutex::new(Meanwhile::Nothing), claimed, written }
    }

    fn claimed(&self) -> Vec<Fence> {
        self.claimed.lock().expect("nobody panics with it").clone()
    }
}

#[async_trait]
impl<S: Store> Fault<S> for Rows {
    async fn claim_lease(
        &self,
        store: &S,
        id: &CheckpointId,
        owner: &str,
        lifetime: Duration,
    ) -> Result<Option<Fence>, StoreError> {
        let claimed = store.claim_lease(id, owner, lifetime).await?;
        if let Some(fence) = claimed.as_ref().filter(|fence| !fence.id.name.ends_with("/seats")) {
            self.claimed.lock().expect("nobody panics with it").push(fence.clone());
        }
        Ok(claimed)
    }

    async fn commit(&self, store: &S, work: UnitOfWork) -> Result<Vec<Receipt>, WriteError> {
        let meanwhile = *self.meanwhile.lock().expect("nobody panics with it");
        let before = self.claimed();
        match meanwhile {
            Meanwhile::Nothing => return store.commit(work).await,
            Meanwhile::Renewed => {
                while self.claimed().len() == before.len() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            Meanwhile::Taken | Meanwhile::TakenInSilence => {
                let fence = before.last().expect("rows are written under a lease");
                store.release_lease(fence).await?;
                store.claim_lease(&fence.id, "another", PATIENCE).await?;
            }
        }
        if meanwhile == Meanwhile::TakenInSilence {
            std::future::pending::<()>().await;
        }
        let written = store.commit(work).await;
        let outcome = match &written {
            Ok(_) => Ok(()),
            Err(WriteError::Fenced { name, held, current }) => {
                Err(WriteError::Fenced { name: name.clone(), held: *held, current: *current })
            }
            Err(error) => panic!("{error:?}"),
        };
        self.written.lock().expect("nobody panics with it").push(outcome);
        written
    }
}

/// Has the rows of two items written anew while something happens.
async fn rewritten(
    store: impl Store,
    lease: Duration,
    meanwhile: Meanwhile,
) -> (Result<(), EngineError>, Faulty<impl Store, Rows>) {
    let bus = bus(&store);
    record(&bus, "a", listed("Ada", 1)).await;
    record(&bus, "b", listed("Bob", 2)).await;
    let store = Faulty::with_units(store, Rows::new());
    let engine = ProjectionEngine::builder(store.clone()).register::<InlinePrice>().lease(lease);
    let engine = engine.start().await.expect("the engine starts");
    rows(&engine, 2).await;
    crate::stopped::is(&engine, ProjectionState::Live).await;
    *store.fault().meanwhile.lock().expect("nobody panics with it") = meanwhile;
    let rebuilt = tokio::time::timeout(PATIENCE, engine.rebuild::<InlinePrice>()).await;
    let rebuilt = rebuilt.unwrap_or_else(|_| panic!("{meanwhile:?}: it never ends"));
    drop(engine);
    (rebuilt, store)
}

async fn the_lease_is_renewed_while_a_row_is_written(store: impl Store) {
    // A third of it is the time after which it is renewed.
    let lease = Duration::from_secs(9);
    let (rebuilt, store) = rewritten(store, lease, Meanwhile::Renewed).await;
    rebuilt.expect("the lease was held all the time");
    let claimed = store.fault().claimed();
    let of = |fence| claimed.iter().filter(|claimed| *claimed == fence).count();
    let most = claimed.iter().map(of).max();
    assert!(most >= Some(3), "claimed once, and renewed for each row: {claimed:?}");
}

async fn no_row_is_written_under_a_lease_that_is_lost(store: impl Store) {
    let (rebuilt, store) = rewritten(store, PATIENCE, Meanwhile::Taken).await;
    assert!(matches!(rebuilt, Err(EngineError::LeaseLost { .. })), "{rebuilt:?}");
    let written = store.fault().written.lock().expect("nobody panics with it");
    assert!(matches!(&written[..], [Err(WriteError::Fenced { .. })]), "{written:?}");
}

async fn a_rebuild_ends_with_its_lease_whatever_it_waits_for(store: impl Store) {
    let lease = Duration::from_secs(2);
    let (rebuilt, _) = rewritten(store, lease, Meanwhile::TakenInSilence).await;
    assert!(matches!(rebuilt, Err(EngineError::LeaseLost { .. })), "{rebuilt:?}");
}
