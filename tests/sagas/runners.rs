//! Several runners: who runs what, and what becomes of one that stood still.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use annals::UnitOfWork;
use annals::prelude::*;

use crate::on_each_store;
use crate::scene::{Mortal, PATIENCE, Store, runner, started, story, until};
use crate::trip::{Backends, Booking, How, trip};
use crate::watched::{Fate, Watch, Watched};

async fn what_runs_elsewhere_is_waited_for(store: impl Store) {
    let backends = Backends::new([("hotel", How::Waits)]);
    let (here, there) = (started(&store, &backends).await, started(&store, &backends).await);
    here.begin::<Booking>("t-1", trip()).await.expect("it begins");
    backends.arrived.notified().await;
    let waiting = tokio::spawn(async move { there.run::<Booking>("t-1", trip()).await });
    let third = SagaRunner::new(store.clone(), backends.clone());
    assert_eq!(third.resume_all().await.expect("the store is there"), 0);
    backends.mend("hotel");
    backends.let_go.notify_one();
    let outcome = waiting.await.expect("it does not panic").expect("it ends");
    assert_eq!(outcome, SagaOutcome::Completed);
    assert_eq!(backends.calls().len(), 5, "{:?}", backends.calls());
}

async fn they_share_the_work(store: impl Store) {
    let backends = Backends::new([]);
    let runners = [started(&store, &backends).await, started(&store, &backends).await];
    for number in 0..20 {
        runners[number % 2].begin::<Booking>(number, trip()).await.expect("it begins");
    }
    for sagas in &runners {
        sagas.settle(PATIENCE).await.expect("they end");
    }
    assert_eq!(backends.calls().len(), 100);
    assert_eq!(backends.effects().len(), 100);
}

/// Counts how often a log is read, and a lease asked for.
#[derive(Default)]
struct Counted(AtomicU32);

impl Watch for Counted {
    fn fate(&self, call: &'static str, _: Option<&UnitOfWork>) -> Fate {
        self.0
            .fetch_add(u32::from(["stream_page", "claim_lease"].contains(&call)), Ordering::SeqCst);
        Fate::Passes
    }
}

async fn who_waits_reads_no_log_that_is_where_it_was(store: impl Store) {
    let backends = Backends::new([("hotel", How::Waits)]);
    let here = runner(&store, &backends).lease(Duration::from_mins(10)).start().await;
    let here = here.expect("the store is there");
    here.begin::<Booking>("t-1", trip()).await.expect("it begins");
    backends.arrived.notified().await;
    let watched = Watched::new(store.clone(), Counted::default());
    let reads = || watched.watch.0.load(Ordering::SeqCst);
    // It does not look by itself before the test is over.
    let there = runner(&watched, &backends).polling(Duration::from_mins(10)).start().await;
    let there = there.expect("the store is there");
    let waiting = tokio::spawn({
        let there = there.clone();
        async move { there.outcome::<Booking>("t-1").await }
    });
    until(async || reads() > 1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let before = reads();
    backends.mend("hotel");
    for number in 0..20 {
        here.run::<Booking>(number, trip()).await.expect("it is run");
    }
    assert_eq!(reads(), before, "hundreds of records of others");
    backends.let_go.notify_one();
    let outcome = tokio::time::timeout(PATIENCE, waiting).await.expect("it is woken");
    assert_eq!(outcome.expect("it does not panic").expect("it ends"), SagaOutcome::Completed);
}

/// Counts how often it is looked where a log is.
#[derive(Default)]
struct Looks(AtomicU32);

impl Watch for Looks {
    fn fate(&self, call: &'static str, _: Option<&UnitOfWork>) -> Fate {
        self.0.fetch_add(u32::from(call == "stream_head"), Ordering::SeqCst);
        Fate::Passes
    }
}

async fn who_waits_looks_ever_more_seldom_while_others_write(store: impl Store) {
    let backends = Backends::new([("hotel", How::Waits)]);
    let here = runner(&store, &backends).lease(Duration::from_mins(10)).start().await;
    let here = here.expect("the store is there");
    here.begin::<Booking>("t-1", trip()).await.expect("it begins");
    backends.arrived.notified().await;
    backends.mend("hotel");
    let watched = Watched::new(store.clone(), Looks::default());
    let there = runner(&watched, &backends).polling(Duration::from_mins(10)).start().await;
    let there = there.expect("the store is there");
    let waiting = tokio::spawn(there.outcome::<Booking>("t-1"));
    let (began, mut number) = (Instant::now(), 0);
    let looks = || watched.watch.0.load(Ordering::SeqCst);
    while began.elapsed() < Duration::from_secs(1) || looks() < 2 {
        assert!(began.elapsed() < PATIENCE, "it does not look");
        here.run::<Booking>(number, trip()).await.expect("it is run");
        number += 1;
    }
    let (looks, took) = (looks(), began.elapsed());
    assert!(f64::from(looks) < 16.0 * took.as_secs_f64(), "{looks} looks in {took:?}");
    backends.let_go.notify_one();
    let outcome = tokio::time::timeout(PATIENCE, waiting).await.expect("it is woken");
    assert_eq!(outcome.expect("it does not panic").expect("it ends"), SagaOutcome::Completed);
}

async fn a_pause_by_a_clock_that_is_ahead_ends_after_a_minute(store: impl Store) {
    let backends = Backends::new([("hotel", How::Fails(1))]);
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("an instant");
    let ahead = ManualClock::at(now + Duration::from_hours(24 * 365));
    let mortal = Mortal::start(runner(&store, &backends).clock(ahead)).await;
    let sagas = mortal.sagas.clone();
    let begun = mortal.within(async move { sagas.begin::<Booking>("t-1", trip()).await });
    begun.await.expect("it begins");
    let is_failed = async || story(&store, "booking", "t-1").await.contains(&"failed hotel".into());
    until(is_failed).await;
    mortal.die();
    let clock = ManualClock::at(now);
    let sagas = runner(&store, &backends).clock(clock.clone()).start().await;
    let sagas = sagas.expect("the store is there");
    until(async || story(&store, "booking", "t-1").await.contains(&"taken".into())).await;
    clock.advance(Duration::from_secs(59));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(backends.calls_of("hotel").len(), 1, "it is not due");
    // The first look after it is taken up is at one instant or at the other.
    clock.advance(Duration::from_secs(61));
    let outcome = tokio::time::timeout(PATIENCE, sagas.outcome::<Booking>("t-1")).await;
    let outcome = outcome.expect("nobody waits for a year").expect("it goes on");
    assert_eq!(outcome, SagaOutcome::Completed);
}

async fn a_lease_of_no_time_is_one_of_a_short_time(store: impl Store) {
    let sagas = runner(&store, &Backends::new([])).lease(Duration::ZERO).start().await;
    let sagas = sagas.expect("the store is there");
    let run = sagas.run::<Booking>("t-1", trip()).into_future();
    let outcome = tokio::time::timeout(PATIENCE, run).await.expect("it does not hang");
    assert_eq!(outcome.expect("it is run"), SagaOutcome::Completed);
}

/// A store that one program does not reach to renew its leases.
#[derive(Default)]
struct Asleep(AtomicBool);

impl Watch for Asleep {
    fn fate(&self, call: &'static str, _: Option<&UnitOfWork>) -> Fate {
        let is_asleep = self.0.load(Ordering::SeqCst);
        if is_asleep && call == "claim_lease" { Fate::FailsBefore } else { Fate::Passes }
    }
}

async fn one_that_stood_still_does_nothing_when_it_wakes(store: impl Store) {
    // Of its own: it is not told what others do.
    let slow = Backends::new([("hotel", How::Waits)]);
    let watched = Watched::new(store.clone(), Asleep::default());
    let sleeper = runner(&watched, &slow).start().await.expect("the store is there");
    sleeper.begin::<Booking>("t-1", trip()).await.expect("it begins");
    slow.arrived.notified().await;
    watched.watch.0.store(true, Ordering::SeqCst);
    let awake = Backends::new([]);
    let others = started(&store, &awake).await;
    let outcome = others.run::<Booking>("t-1", trip()).await.expect("it is taken over");
    assert_eq!(outcome, SagaOutcome::Completed);
    assert_eq!(awake.calls(), ["hotel", "insurance", "payment", "mail"]);
    let ended = story(&store, "booking", "t-1").await;
    // Its call ends now: neither does it write, nor call what comes next.
    slow.let_go.notify_one();
    watched.watch.0.store(false, Ordering::SeqCst);
    until(async || sleeper.status().running == 0).await;
    assert_eq!(slow.calls(), ["flight", "hotel"]);
    assert_eq!(story(&store, "booking", "t-1").await, ended);
    // It goes on with what it is given next.
    slow.mend("hotel");
    let outcome = sleeper.run::<Booking>("t-2", trip()).await.expect("it has a seat again");
    assert_eq!(outcome, SagaOutcome::Completed);
}

async fn each_saga_has_one_runner_at_a_time(store: impl Store) {
    let backends: Arc<Backends> = Backends::new([("undo hotel", How::Fails(3))]);
    backends.set("mail", How::Fails(5));
    let runners = futures::future::join_all((0..4).map(|_| started(&store, &backends))).await;
    let runs = (0..24).map(|number| {
        let sagas = &runners[number % runners.len()];
        sagas.run::<Booking>(format!("t-{}", number / 2), trip()).into_future()
    });
    for outcome in futures::future::join_all(runs).await {
        outcome.expect("it is run");
    }
    for number in 0..12 {
        let told = story(&store, "booking", &format!("t-{number}")).await;
        assert_eq!(told.iter().filter(|record| *record == "ended").count(), 1, "{told:?}");
        assert_eq!(told.iter().filter(|record| *record == "called flight").count(), 1);
    }
    assert_eq!(backends.calls_of("flight").len(), 12);
}

on_each_store!(
    what_runs_elsewhere_is_waited_for,
    who_waits_reads_no_log_that_is_where_it_was,
    who_waits_looks_ever_more_seldom_while_others_write,
    a_pause_by_a_clock_that_is_ahead_ends_after_a_minute,
    a_lease_of_no_time_is_one_of_a_short_time,
    they_share_the_work,
    one_that_stood_still_does_nothing_when_it_wakes,
    each_saga_has_one_runner_at_a_time,
);
