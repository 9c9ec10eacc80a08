//! Stores that are away for longer than a lease, or refuse what they are given.

use std::sync::Mutex;
use std::time::Duration;

use annals::UnitOfWork;
use annals::prelude::*;

use crate::on_each_store;
use crate::scene::{PATIENCE, Store, runner, story, until};
use crate::trip::{Backends, Booking, How, trip};
use crate::watched::{Fate, Watch, Watched};

/// Longer than the lease of a runner that tests start.
const LONG: Duration = Duration::from_millis(900);

/// What a store does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Work,
    /// It is away.
    Nothing,
    /// It refuses what is to be written.
    Refuse,
}

struct Now(Mutex<Does>);

impl Default for Now {
    fn default() -> Self {
        Self(Mutex::new(Does::Work))
    }
}

impl Now {
    fn does(&self, what: Does) {
        *self.0.lock().expect("nobody panics") = what;
    }
}

impl Watch for Now {
    fn fate(&self, _: &'static str, work: Option<&UnitOfWork>) -> Fate {
        match *self.0.lock().expect("nobody panics") {
            Does::Nothing => Fate::FailsBefore,
            Does::Refuse if work.is_some() => Fate::Refused,
            Does::Work | Does::Refuse => Fate::Passes,
        }
    }
}

async fn a_shutdown_ends_while_the_store_is_away(store: impl Store) {
    let backends = Backends::new([("flight", How::Waits)]);
    let watched = Watched::new(store, Now::default());
    let sagas = runner(&watched, &backends).workers(1).start().await.expect("the store is there");
    for id in ["t-1", "t-2"] {
        sagas.begin::<Booking>(id, trip()).await.expect("it begins");
    }
    backends.arrived.notified().await;
    watched.watch.does(Does::Nothing);
    // Until the runner cannot know any more whether its seat is its own.
    tokio::time::sleep(LONG).await;
    // The worker is free, and the other saga waits for the seat.
    backends.let_go.notify_one();
    until(async || sagas.status().running == 2 && backends.effects().len() == 1).await;
    let ended = tokio::time::timeout(PATIENCE, sagas.shutdown()).await;
    assert!(ended.is_ok(), "it has not ended: {:?}", sagas.status());
    assert_eq!(backends.calls().len(), 1);
}

async fn a_step_that_is_done_in_an_outage_is_called_once(store: impl Store) {
    let backends = Backends::new([("flight", How::Waits)]);
    let watched = Watched::new(store.clone(), Now::default());
    let sagas = runner(&watched, &backends).start().await.expect("the store is there");
    sagas.begin::<Booking>("t-1", trip()).await.expect("it begins");
    backends.arrived.notified().await;
    watched.watch.does(Does::Nothing);
    backends.mend("flight");
    backends.let_go.notify_one();
    // The seat is lost meanwhile.
    tokio::time::sleep(LONG).await;
    watched.watch.does(Does::Work);
    let outcome = sagas.run::<Booking>("t-1", trip()).await.expect("the store is there again");
    assert_eq!(outcome, SagaOutcome::Completed);
    assert_eq!(backends.calls_of("flight").len(), 1);
    let told = story(&store, "booking", "t-1").await;
    assert_eq!(told.iter().filter(|record| *record == "done flight").count(), 1, "{told:?}");
}

async fn what_a_runner_still_has_it_does_not_take_again(store: impl Store) {
    let backends = Backends::new([("flight", How::Waits)]);
    let watched = Watched::new(store.clone(), Now::default());
    let sagas = runner(&watched, &backends).lease(Duration::from_mins(10));
    let sagas = sagas.start().await.expect("the store is there");
    sagas.begin::<Booking>("t-1", trip()).await.expect("it begins");
    backends.arrived.notified().await;
    watched.watch.does(Does::Refuse);
    backends.mend("flight");
    backends.let_go.notify_one();
    until(async || !sagas.status().stuck.is_empty()).await;
    watched.watch.does(Does::Work);
    let outcome = sagas.run::<Booking>("t-1", trip()).await.expect("it goes on");
    assert_eq!(outcome, SagaOutcome::Completed);
    assert!(sagas.status().stuck.is_empty(), "{:?}", sagas.status());
    let told = story(&store, "booking", "t-1").await;
    assert!(!told.contains(&"taken".to_owned()), "{told:?}");
}

on_each_store!(
    a_shutdown_ends_while_the_store_is_away,
    a_step_that_is_done_in_an_outage_is_called_once,
    what_a_runner_still_has_it_does_not_take_again,
);
