//! What goes on after a runner has died, or was shut down.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use annals::prelude::*;

use crate::on_each_store;
use crate::scene::{Mortal, PATIENCE, Store, runner, started, story, until};
use crate::trip::{Backends, Booking, How, trip};

/// Begins sagas with a runner that dies while a step of each is called.
async fn died(store: &impl Store, at: &'static str) {
    let hangs = Backends::new([(at, How::Hangs)]);
    let mortal = Mortal::start(runner(store, &hangs)).await;
    for id in ["t-1", "t-2"] {
        let sagas = mortal.sagas.clone();
        let begun = mortal.within(async move { sagas.begin::<Booking>(id, trip()).await }).await;
        begun.expect("it begins");
    }
    until(async || hangs.calls_of(at).len() == 2).await;
    mortal.die();
}

async fn start_resumes_what_others_left(store: impl Store) {
    died(&store, "insurance").await;
    let backends = Backends::new([]);
    let began = Instant::now();
    let sagas = started(&store, &backends).await;
    for id in ["t-1", "t-2"] {
        let outcome = sagas.outcome::<Booking>(id).await.expect("it is there");
        assert_eq!(outcome, SagaOutcome::Completed);
    }
    // Within seconds of the lease's end.
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    // It went on where it was: what was under way is called again, under its key and as the same try.
    let mut again: Vec<_> =
        backends.calls_of("insurance").into_iter().map(|call| (call.key, call.attempt)).collect();
    again.sort();
    let expected = |id: &str| (format!("booking/insurance/do/{id}"), 1);
    assert_eq!(again, [expected("t-1"), expected("t-2")]);
    assert!(backends.calls_of("flight").is_empty());
    let told = story(&store, "booking", "t-1").await;
    assert_eq!(told.iter().filter(|record| *record == "called insurance").count(), 1);
    assert!(told.contains(&"taken".to_owned()), "{told:?}");
}

async fn new_resumes_one_when_it_is_run_again(store: impl Store) {
    died(&store, "insurance").await;
    let backends = Backends::new([]);
    let sagas = SagaRunner::new(store.clone(), backends.clone());
    let outcome = sagas.run::<Booking>("t-1", trip()).await.expect("it is run");
    assert_eq!(outcome, SagaOutcome::Completed);
    assert_eq!(backends.calls(), ["insurance", "payment", "mail"]);
    // The other waits until somebody asks for it.
    assert_eq!(story(&store, "booking", "t-2").await.last().unwrap(), "called insurance");
    let outcome = sagas.outcome::<Booking>("t-2").await.expect("it is there");
    assert_eq!(outcome, SagaOutcome::Completed);
}

async fn resume_all_takes_up_what_nobody_runs(store: impl Store) {
    died(&store, "insurance").await;
    let backends = Backends::new([]);
    let sagas = SagaRunner::new(store.clone(), backends.clone());
    let mut count = 0;
    let began = Instant::now();
    while count < 2 {
        count += sagas.resume_all().await.expect("the store is there");
        assert!(began.elapsed() < PATIENCE, "{count}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sagas.settle(PATIENCE).await.expect("they end");
    assert_eq!(sagas.resume_all().await.expect("the store is there"), 0);
    assert_eq!(backends.calls_of("mail").len(), 2);
}

struct Spare;

/// What it calls, the runner may lack.
#[saga(name = "spare", data = (), services = String)]
impl Spare {
    #[step]
    async fn only() {}
}

/// One service's sagas are none of another's of the same code: what a runner cannot do, it leaves to those who can.
async fn resume_all_leaves_those_that_lack_their_services(store: impl Store) {
    died(&store, "insurance").await;
    // All that the program links, and with these services only one of them can be run.
    let sagas = SagaRunner::new(store.clone(), Arc::new(String::new()));
    assert_eq!(sagas.resume_all().await.expect("the store is there"), 0);
    assert_eq!(story(&store, "booking", "t-1").await.last().unwrap(), "called insurance");
    let error = sagas.outcome::<Booking>("t-1").await.expect_err("it lacks its services");
    assert!(error.to_string().contains("has no services"), "{error}");
    assert_eq!(sagas.run::<Spare>("s-1", ()).await.expect("it is run"), SagaOutcome::Completed);
}

/// Waits until a runner knows that it is shut down: told so, it begins nothing any more.
async fn is_told_to_stop(sagas: &SagaRunner) {
    let number = AtomicU32::new(0);
    let is_told = async || {
        let id = format!("late-{}", number.fetch_add(1, Ordering::SeqCst));
        sagas.begin::<Booking>(id, trip()).await.is_err()
    };
    until(is_told).await;
}

async fn a_shutdown_lets_the_step_end_and_another_goes_on_at_once(store: impl Store) {
    let backends = Backends::new([("hotel", How::Waits)]);
    // Nobody could wait for its lease to run out.
    let first = runner(&store, &backends).lease(Duration::from_mins(10));
    let first = first.start().await.expect("the store is there");
    let running = tokio::spawn({
        let first = first.clone();
        async move { first.run::<Booking>("t-1", trip()).await }
    });
    backends.arrived.notified().await;
    let stopped = tokio::spawn({
        let first = first.clone();
        async move { first.shutdown().await }
    });
    is_told_to_stop(&first).await;
    assert!(!stopped.is_finished(), "a step is under way");
    backends.let_go.notify_one();
    stopped.await.expect("it does not panic");
    let told = running.await.expect("it does not panic").expect_err("it is shut down");
    assert!(matches!(told, SagaError::ShutDown), "{told}");
    // What was done is logged, and nothing more began.
    assert_eq!(story(&store, "booking", "t-1").await.last().unwrap(), "done hotel");
    backends.mend("hotel");
    let second = started(&store, &backends).await;
    let outcome = second.outcome::<Booking>("t-1").await.expect("it goes on");
    assert_eq!(outcome, SagaOutcome::Completed);
    let hotels = backends.calls_of("hotel");
    let of_it = hotels.iter().filter(|call| call.key == "booking/hotel/do/t-1");
    assert_eq!(of_it.count(), 1);
}

async fn a_shutdown_begins_no_step_that_waits_for_a_worker(store: impl Store) {
    let backends = Backends::new([("flight", How::Waits)]);
    let sagas = runner(&store, &backends).workers(1).lease(Duration::from_mins(10));
    let sagas = sagas.start().await.expect("the store is there");
    for id in ["t-1", "t-2", "t-3"] {
        sagas.begin::<Booking>(id, trip()).await.expect("it begins");
    }
    backends.arrived.notified().await;
    let stopped = tokio::spawn({
        let sagas = sagas.clone();
        async move { sagas.shutdown().await }
    });
    is_told_to_stop(&sagas).await;
    backends.let_go.notify_one();
    let ended = tokio::time::timeout(PATIENCE, stopped).await;
    ended.expect("it waits for none but the one").expect("it does not panic");
    assert_eq!(backends.calls().len(), 1, "nothing more begins");
    // What was done is logged.
    let mut done = 0;
    for id in ["t-1", "t-2", "t-3"] {
        let told = story(&store, "booking", id).await;
        done += told.iter().filter(|record| *record == "done flight").count();
    }
    assert_eq!(done, 1);
}

async fn a_dropped_runner_leaves_its_sagas_to_others(store: impl Store) {
    let backends = Backends::new([("hotel", How::Waits)]);
    let first = runner(&store, &backends).lease(Duration::from_mins(10));
    let first = first.start().await.expect("the store is there");
    first.begin::<Booking>("t-1", trip()).await.expect("it begins");
    backends.arrived.notified().await;
    drop(first);
    backends.mend("hotel");
    backends.let_go.notify_one();
    let second = started(&store, &backends).await;
    let outcome = second.outcome::<Booking>("t-1").await.expect("it goes on");
    assert_eq!(outcome, SagaOutcome::Completed);
    assert_eq!(backends.calls_of("hotel").len(), 1);
}

async fn a_call_of_run_that_is_dropped_stops_nothing(store: impl Store) {
    let backends = Backends::new([("hotel", How::Waits)]);
    let sagas = started(&store, &backends).await;
    tokio::select! {
        outcome = sagas.run::<Booking>("t-1", trip()).into_future() => panic!("{outcome:?}"),
        () = backends.arrived.notified() => {}
    }
    backends.mend("hotel");
    backends.let_go.notify_one();
    sagas.settle(PATIENCE).await.expect("it ends");
    assert_eq!(story(&store, "booking", "t-1").await.last().unwrap(), "ended");
}

on_each_store!(
    start_resumes_what_others_left,
    new_resumes_one_when_it_is_run_again,
    resume_all_takes_up_what_nobody_runs,
    resume_all_leaves_those_that_lack_their_services,
    a_shutdown_lets_the_step_end_and_another_goes_on_at_once,
    a_shutdown_begins_no_step_that_waits_for_a_worker,
    a_dropped_runner_leaves_its_sagas_to_others,
    a_call_of_run_that_is_dropped_stops_nothing,
);
