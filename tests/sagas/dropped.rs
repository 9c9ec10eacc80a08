//! Calls that are dropped after the log holds what they do, and before they are told so.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};

use annals::UnitOfWork;
use annals::prelude::*;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Notify;

use crate::on_each_store;
use crate::scene::{Mortal, Store, runner, story, until};
use crate::trip::{Backends, Booking, How, trip};
use crate::watched::{Fate, Watch, Watched};

/// Holds back the answer to the next unit of work that is done.
#[derive(Default)]
struct Held {
    holds: AtomicBool,
    done: Notify,
    let_go: Notify,
}

impl Watch for Held {
    fn fate(&self, _: &'static str, _: Option<&UnitOfWork>) -> Fate {
        Fate::Passes
    }

    fn committed(&self) -> BoxFuture<'_, ()> {
        async {
            if self.holds.swap(false, Ordering::SeqCst) {
                self.done.notify_one();
                self.let_go.notified().await;
            }
        }
        .boxed()
    }
}

impl Held {
    /// Drops a call between what it writes and the answer to it.
    async fn drops<T: Debug>(&self, call: impl Future<Output = T>) {
        self.holds.store(true, Ordering::SeqCst);
        tokio::select! {
            answer = call => panic!("it has an answer: {answer:?}"),
            () = self.done.notified() => {}
        }
        self.let_go.notify_one();
    }
}

async fn ends(store: &impl Store) {
    until(async || story(store, "booking", "t-1").await.last().is_some_and(|last| last == "ended"))
        .await;
}

async fn a_begin_that_is_dropped_goes_on(store: impl Store) {
    let watched = Watched::new(store.clone(), Held::default());
    // It looks for nothing by itself.
    let sagas = SagaRunner::new(watched.clone(), Backends::new([]));
    watched.watch.drops(sagas.begin::<Booking>("t-1", trip()).into_future()).await;
    ends(&store).await;
}

async fn a_saga_that_is_taken_up_for_a_dropped_call_goes_on(store: impl Store) {
    let hangs = Backends::new([("hotel", How::Hangs)]);
    let mortal = Mortal::start(runner(&store, &hangs)).await;
    let sagas = mortal.sagas.clone();
    let begun = mortal.within(async move { sagas.begin::<Booking>("t-1", trip()).await }).await;
    begun.expect("it begins");
    until(async || hangs.calls_of("hotel").len() == 1).await;
    mortal.die();
    let watched = Watched::new(store.clone(), Held::default());
    let sagas = SagaRunner::new(watched.clone(), Backends::new([]));
    watched.watch.drops(sagas.outcome::<Booking>("t-1")).await;
    ends(&store).await;
}

async fn a_saga_that_is_tried_again_for_a_dropped_call_goes_on(store: impl Store) {
    let backends = Backends::new([("mail", How::Fails(1)), ("undo hotel", How::Fails(u32::MAX))]);
    let watched = Watched::new(store.clone(), Held::default());
    let parks = runner(&store, &backends).start().await.expect("the store is there");
    let outcome = parks.run::<Booking>("t-1", trip()).await.expect("it is run");
    assert!(matches!(outcome, SagaOutcome::Parked { .. }), "{outcome:?}");
    parks.shutdown().await;
    backends.mend("undo hotel");
    let sagas = SagaRunner::new(watched.clone(), backends);
    watched.watch.drops(sagas.retry_parked::<Booking>("t-1").into_future()).await;
    ends(&store).await;
}

on_each_store!(
    a_begin_that_is_dropped_goes_on,
    a_saga_that_is_taken_up_for_a_dropped_call_goes_on,
    a_saga_that_is_tried_again_for_a_dropped_call_goes_on,
);
