//! What goes on when nobody asks for it any more: an acknowledgement whose call was dropped, a page whose consumer pauses.

use std::pin::pin;

use annals::prelude::*;
use annals::{CheckpointChange, LogPage, ReadModelStore, RowChange, UnitOfWorkStore, WriteError};
use annals_testing::conformance::faulty::{Fault, Faulty};
use futures::FutureExt;
use tokio::sync::Semaphore;

use crate::durable::checkpoint_id;
use crate::material::{begin, numbers, soon, store_numbers, take};

/// Holds calls up until it is opened, and tells who has come and who has passed.
struct Gate {
    come: Semaphore,
    open: Semaphore,
    passed: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        let closed = || Semaphore::new(0);
        Self { come: closed(), open: closed(), passed: closed() }
    }
}

impl Gate {
    async fn pass<T>(&self, call: impl Future<Output = T>) -> T {
        self.come.add_permits(1);
        self.open.acquire().await.expect("it is never closed").forget();
        let answer = call.await;
        self.passed.add_permits(1);
        answer
    }

    /// Lets one call pass.
    fn open(&self) {
        self.open.add_permits(1);
    }

    async fn has(&self, calls: &Semaphore) {
        soon(calls.acquire()).await.expect("it is never closed").forget();
    }
}

/// Holds the moves of checkpoints up.
#[derive(Default)]
struct Moves(Gate);

#[async_trait]
impl<S: Sync> Fault<S> for Moves {
    async fn write_rows(
        &self,
        store: &S,
        rows: Vec<RowChange>,
        checkpoint: CheckpointChange,
    ) -> Result<(), WriteError>
    where
        S: ReadModelStore,
    {
        self.0.pass(store.write_rows(rows, checkpoint)).await
    }
}

pub async fn an_acknowledgement_outlives_its_call<S: UnitOfWorkStore + Clone>(store: S) {
    store_numbers(&store, 0..3).await;
    let gated = Faulty::new(store.clone(), Moves::default());
    let gate = &gated.fault().0;
    let subscribe = store.subscribe().durable("mailer").checkpoints_in(gated.clone());
    let mut subscription = begin(subscribe).await;
    let seen = take(&mut subscription, 3).await;
    {
        let mut ack = pin!(subscription.ack(seen[1].position));
        assert!(ack.as_mut().now_or_never().is_none());
        gate.has(&gate.come).await;
        // Dropped, while the store is about to write.
    }
    gate.open();
    gate.has(&gate.passed).await;
    let kept = store.checkpoint(&checkpoint_id("mailer")).await.unwrap();
    assert_eq!(kept, Some(seen[1].position));
    // The next comes after it, and never before.
    gate.open();
    soon(subscription.ack(seen[2].position)).await.unwrap();
    let kept = store.checkpoint(&checkpoint_id("mailer")).await.unwrap();
    assert_eq!(kept, Some(seen[2].position));
}

/// Holds the pages of the log up.
#[derive(Default)]
struct Pages(Gate);

#[async_trait]
impl<S: Sync> Fault<S> for Pages {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError>
    where
        S: EventStore,
    {
        self.0.pass(store.log_page(read)).await
    }
}

/// A consumer that waits for something else holds no connection meanwhile that it may itself be waiting for.
pub async fn a_page_is_read_to_its_end_while_its_consumer_pauses<S: UnitOfWorkStore + Clone>(
    store: S,
) {
    store_numbers(&store, 0..3).await;
    let gated = Faulty::new(store, Pages::default());
    let gate = &gated.fault().0;
    let mut subscription = begin(gated.subscribe()).await;
    {
        let mut next = pin!(subscription.next());
        assert!(next.as_mut().now_or_never().is_none());
        gate.has(&gate.come).await;
        gate.open();
        // Nobody asks for it, and still it is read.
        gate.has(&gate.passed).await;
    }
    assert_eq!(numbers(&take(&mut subscription, 3).await), [0, 1, 2]);
    assert_eq!(gate.come.available_permits(), 0, "it was read once");
}
