//! One step: how often it is tried, with what, and what counts as its failure.

use std::time::Duration;

use annals::ManualClock;
use annals::prelude::*;
use serde_json::json;

use crate::on_each_store;
use crate::scene::{Store, records, runner, started, until};
use crate::trip::{Backends, Booking, How, trip};

async fn a_step_is_tried_once_unless_it_says_otherwise(store: impl Store) {
    let backends = Backends::new([("flight", How::Fails(u32::MAX))]);
    let sagas = started(&store, &backends).await;
    sagas.run::<Booking>("t-1", trip()).await.expect("it is run");
    assert_eq!(backends.calls(), ["flight"]);

    let backends = Backends::new([("hotel", How::Fails(u32::MAX))]);
    let sagas = started(&store, &backends).await;
    sagas.run::<Booking>("t-2", trip()).await.expect("it is run");
    assert_eq!(backends.calls_of("hotel").len(), 3);
}

async fn each_try_gets_a_fresh_copy_of_the_data(store: impl Store) {
    let backends = Backends::new([("hotel", How::Fails(2))]);
    let sagas = started(&store, &backends).await;
    let outcome = sagas.run::<Booking>("t-1", trip()).await.expect("it is run");
    assert_eq!(outcome, SagaOutcome::Completed);
    let records = records(&store, "booking", "t-1").await;
    let (_, ended) = records.last().expect("it has ended");
    assert_eq!(ended["data"]["json"]["booked"], json!(["flight 1", "hotel 3"]));
}

async fn an_undo_is_tried_again_five_times(store: impl Store) {
    let backends =
        Backends::new([("mail", How::Fails(1)), ("undo hotel", How::FailsAfterwards(5))]);
    let sagas = started(&store, &backends).await;
    let outcome = sagas.run::<Booking>("t-1", trip()).await.expect("it is run");
    assert!(matches!(outcome, SagaOutcome::Compensated { .. }), "{outcome:?}");
    assert_eq!(backends.calls_of("undo hotel").len(), 6);
}

async fn each_try_has_the_same_key_and_an_undo_one_of_its_own(store: impl Store) {
    let backends = Backends::new([
        ("hotel", How::Fails(1)),
        ("mail", How::Fails(1)),
        ("undo hotel", How::Fails(1)),
    ]);
    let sagas = started(&store, &backends).await;
    sagas.run::<Booking>("t/1", trip()).await.expect("it is run");
    let told = |name| {
        let calls = backends.calls_of(name);
        calls.into_iter().map(|call| (call.key, call.attempt)).collect::<Vec<_>>()
    };
    let keyed = |key: &str| [(key.to_owned(), 1), (key.to_owned(), 2)];
    assert_eq!(told("hotel"), keyed("booking/hotel/do/t/1"));
    assert_eq!(told("undo hotel"), keyed("booking/hotel/undo/t/1"));
}

struct Slow;

#[saga(name = "slow", data = (), services = Backends)]
impl Slow {
    #[step(undo = undo_first)]
    async fn first() {}

    async fn undo_first(_: &(), _: &Backends) {}

    #[step(name = "second", undo = undo_second, timeout = Duration::from_millis(20))]
    async fn hangs() {
        std::future::pending().await
    }

    async fn undo_second() {
        unreachable!("the step itself failed");
    }
}

async fn what_takes_too_long_has_failed(store: impl Store) {
    let backends = Backends::new([]);
    let sagas = runner(&store, &backends).register::<Slow>();
    let sagas = sagas.start().await.expect("the store is there");
    let outcome = sagas.run::<Slow>("s-1", ()).await.expect("it is run");
    let SagaOutcome::Compensated { failed_step, error, .. } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((&*failed_step, &*error), ("second", "it took longer than 20ms"));

    // A step that says nothing of it takes as long as the runner allows.
    let backends = Backends::new([("mail", How::Hangs)]);
    let sagas = runner(&store, &backends).time_limit(Duration::from_millis(500));
    let sagas = sagas.start().await.expect("the store is there");
    let outcome = sagas.run::<Booking>("t-2", trip()).await.expect("it is run");
    assert!(
        matches!(&outcome, SagaOutcome::Compensated { error, .. } if error == "it took longer than 500ms"),
        "{outcome:?}"
    );
}

async fn a_panic_counts_as_a_failure(store: impl Store) {
    let backends = Backends::new([("mail", How::Panics), ("undo hotel", How::Panics)]);
    let sagas = started(&store, &backends).await;
    let outcome = sagas.run::<Booking>("t-1", trip()).await.expect("it is run");
    let SagaOutcome::Parked { failed_step, error, not_undone, .. } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((&*failed_step, &*error), ("mail", "panicked: mail is on fire"));
    assert_eq!(not_undone, ["hotel"]);
    assert_eq!(backends.calls_of("undo hotel").len(), 6);
}

async fn the_pauses_begin_with_50_ms_and_double(store: impl Store) {
    let clock = ManualClock::at("2026-03-01T12:00:00Z".parse().expect("an instant"));
    let backends = Backends::new([("mail", How::Fails(1)), ("undo payment", How::Fails(4))]);
    let sagas = SagaRunner::builder(store.clone(), backends.clone())
        .register::<Booking>()
        .polling(Duration::from_millis(1))
        .clock(clock.clone())
        .start()
        .await
        .expect("the store is there");
    sagas.begin::<Booking>("t-1", trip()).await.expect("it begins");
    let failures = async || {
        let records = records(&store, "booking", "t-1").await;
        records.iter().filter(|(name, _)| name == "failed").count()
    };
    for (tries, pause) in [(1, 50), (2, 100), (3, 200), (4, 400)] {
        // The step's own failure is one.
        until(async || failures().await == tries + 1).await;
        let begun = clock.now();
        let waits = async || {
            let records = records(&store, "booking", "t-1").await;
            records.last().is_some_and(|(name, content)| {
                let at = begun + Duration::from_millis(pause);
                name == "failed" && content["retry_at"] == json!(at.to_string())
            })
        };
        assert!(waits().await, "{:?}", records(&store, "booking", "t-1").await);
        // A moment before, nothing happens.
        clock.advance(Duration::from_millis(pause - 1));
        tokio::task::yield_now().await;
        assert!(waits().await, "it did not wait for {pause} ms");
        clock.advance(Duration::from_millis(1));
    }
    let outcome = sagas.outcome::<Booking>("t-1").await.expect("it ends");
    assert!(matches!(outcome, SagaOutcome::Compensated { .. }), "{outcome:?}");
}

on_each_store!(
    a_step_is_tried_once_unless_it_says_otherwise,
    each_try_gets_a_fresh_copy_of_the_data,
    an_undo_is_tried_again_five_times,
    each_try_has_the_same_key_and_an_undo_one_of_its_own,
    what_takes_too_long_has_failed,
    a_panic_counts_as_a_failure,
    the_pauses_begin_with_50_ms_and_double,
);
