//! A runner that others took for dead and that knows nothing of it: it stood still, and its seat has passed on.

use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use annals::prelude::*;
use annals::{Fence, UnitOfWork};
use futures::FutureExt;

use crate::flaws::{Flaw, Flawed};
use crate::on_each_store;
use crate::scene::{PATIENCE, Store, records, runner, started, story};
use crate::trip::{Backends, Booking, How, trip};
use crate::watched::{Fate, Watch, Watched};

/// Learns under which lease a runner writes.
#[derive(Default)]
struct Overheard {
    fence: Mutex<Option<Fence>>,
    flawed: Flawed,
}

impl Overheard {
    fn fence(&self) -> Fence {
        let fence = self.fence.lock().unwrap_or_else(PoisonError::into_inner);
        fence.clone().expect("whoever begins a saga says under which lease")
    }
}

impl Watch for Overheard {
    fn fate(&self, _: &'static str, _: Option<&UnitOfWork>) -> Fate {
        Fate::Passes
    }

    fn changed(&self, work: UnitOfWork) -> (UnitOfWork, Option<UnitOfWork>) {
        if let Some(checkpoint) = &work.checkpoint {
            let mut fence = self.fence.lock().unwrap_or_else(PoisonError::into_inner);
            *fence = Some(checkpoint.fence.clone());
        }
        (self.flawed.changed(work), None)
    }
}

/// A runner in the midst of a step loses its seat, and another ends its saga. Then its step is answered, and it is given another.
async fn given_up(store: impl Store, flaw: Flaw) {
    let slow = Backends::new([("hotel", How::Waits)]);
    let overheard = Overheard { flawed: Flawed::new(flaw), ..Overheard::default() };
    let watched = Watched::new(store.clone(), overheard);
    // It does not look before the test is over.
    let sleeper = runner(&watched, &slow).lease(Duration::from_mins(10));
    let sleeper = sleeper.start().await.expect("the store is there");
    sleeper.begin::<Booking>("t-1", trip()).await.expect("it begins");
    slow.arrived.notified().await;
    let lost = watched.watch.fence();
    store.release_lease(&lost).await.expect("it is its own");
    let awake = Backends::new([]);
    let others = started(&store, &awake).await;
    let outcome = others.run::<Booking>("t-1", trip()).await.expect("it is taken over");
    assert_eq!(outcome, SagaOutcome::Completed);
    let ended = story(&store, "booking", "t-1").await;

    slow.mend("hotel");
    slow.let_go.notify_one();
    sleeper.settle(PATIENCE).await.expect("it gives it up");
    assert_eq!(slow.calls(), ["flight", "hotel"], "it calls nobody any more");
    assert_eq!(story(&store, "booking", "t-1").await, ended, "it writes no more");

    let outcome = sleeper.run::<Booking>("t-2", trip()).await.expect("it has another seat");
    assert_eq!(outcome, SagaOutcome::Completed);
    let (_, begun) = &records(&store, "booking", "t-2").await[0];
    let (seat, epoch) = (&begun["owner"]["seat"], &begun["owner"]["epoch"]);
    assert_ne!((seat, epoch), (&lost.id.shard.into(), &lost.epoch.into()), "it was another's");
}

async fn one_whose_seat_has_passed_on_does_nothing(store: impl Store) {
    given_up(store, Flaw::None).await;
}

on_each_store!(one_whose_seat_has_passed_on_does_nothing);

async fn finds(flaw: Flaw) {
    let woken = AssertUnwindSafe(given_up(MemoryStore::new(), flaw));
    assert!(woken.catch_unwind().await.is_err(), "{flaw:?} was not found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_is_not_checked_is_found() {
    finds(Flaw::VersionUnchecked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fence_that_is_not_checked_is_found() {
    finds(Flaw::FenceUnchecked).await;
}
