//! Sagas whose logs cannot be read, or written: they hide no other, are looked at ever more seldom, and a person ends them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload, UnitOfWork};
use uuid::Uuid;

use crate::codecs::{Mood, Moody};
use crate::on_each_store_with_a_codec;
use crate::scene::{Store, runner, started, story, until};
use crate::trip::{Backends, Booking, How, trip};
use crate::watched::{Fate, Watch, Watched};

async fn one_that_cannot_be_read_hides_none_that_is_parked(store: impl Store, codec: Moody) {
    let backends = Backends::new([("mail", How::Fails(3)), ("undo hotel", How::Fails(u32::MAX))]);
    let sagas = started(&store, &backends).await;
    for id in ["t-1", "t-2", "t-3"] {
        sagas.run::<Booking>(id, trip()).await.expect("it is run");
    }
    // A later release has written to the second one.
    let stream = StreamId::new("annals/saga/booking", "t-2");
    let record = Payload::new(r#"{"paused":{}}"#.to_owned());
    let record = NewEvent::new(Uuid::now_v7(), "annals/saga", 99, record);
    let append = Append::new(stream, Expected::Any, vec![record]);
    store.append(vec![append]).await.expect("it is appended");
    codec.is(Mood::PanicsAtOpening);

    let parked = sagas.parked().await.expect("the store is there");
    let [first, second, third] = &parked[..] else { panic!("{parked:?}") };
    assert_eq!((&*first.id, &*first.error), ("t-1", "panicked: no key at hand"));
    assert_eq!((&*first.failed_step, first.not_undone.len()), ("", 0));
    let why = "version 99 of `annals/saga` is no record of a saga that this program knows";
    assert!(second.id == "t-2" && second.error.ends_with(why), "{second:?}");
    assert_eq!((&*third.id, &*third.failed_step, &*third.error), ("t-3", "mail", "mail is down"));
    assert_eq!(third.not_undone[0].step, "hotel");

    codec.is_well();
    let parked = sagas.parked().limit(1).await.expect("the store is there");
    assert_eq!((&*parked[0].id, &*parked[0].failed_step), ("t-1", "mail"));
}

/// Ends a saga by hand whose first step is answered again and again, and never logged.
async fn dropped(store: &impl Store, sagas: &SagaRunner, why: &str) {
    let error = sagas.run::<Booking>("t-1", trip()).await.expect_err("it cannot go on");
    assert!(matches!(error, SagaError::Stuck { .. }), "{error}");
    until(async || sagas.status().running == 0).await;
    let [stuck] = &sagas.status().stuck[..] else { panic!("{:?}", sagas.status()) };
    assert_eq!((&*stuck.id, &*stuck.reason), ("t-1", why));
    sagas.drop_parked::<Booking>("t-1").await.expect("nobody goes on with it");
    let outcome = sagas.outcome::<Booking>("t-1").await.expect("it has ended");
    let SagaOutcome::Dropped { failed_step, error, not_undone, .. } = &outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((&**failed_step, &**error, not_undone.len()), ("flight", why, 0));
    assert!(sagas.status().stuck.is_empty(), "{:?}", sagas.status());
    assert_eq!(story(store, "booking", "t-1").await.last().map(String::as_str), Some("ended"));
    let error = sagas.drop_parked::<Booking>("t-1").await.expect_err("it is over");
    assert!(matches!(error, SagaError::NotParked { .. }), "{error}");
}

async fn one_that_its_codec_holds_up_is_dropped(store: impl Store, codec: Moody) {
    let sagas = started(&store, &Backends::new([])).await;
    codec.is(Mood::PanicsAtDone);
    // One that somebody runs is not. That one takes up nothing by itself.
    let others = SagaRunner::new(store.clone(), Backends::new([("flight", How::Hangs)]));
    others.begin::<Booking>("t-2", trip()).await.expect("it begins");
    for runner in [&sagas, &others] {
        let error = runner.drop_parked::<Booking>("t-2").await.expect_err("it runs");
        assert!(matches!(error, SagaError::NotParked { .. }), "{error}");
    }
    dropped(&store, &sagas, "panicked: no key at hand").await;
}

/// A store that takes no record that a step is done.
struct TakesNone(AtomicBool);

impl Watch for TakesNone {
    fn fate(&self, _: &'static str, work: Option<&UnitOfWork>) -> Fate {
        let is_done = |append: &Append| {
            append.events.iter().any(|event| event.data.as_str().starts_with("{\"done\""))
        };
        let is_one = work.is_some_and(|work| work.appends.iter().any(is_done));
        if is_one && self.0.load(Ordering::SeqCst) { Fate::Refused } else { Fate::Passes }
    }
}

async fn one_whose_records_are_refused_is_dropped(store: impl Store, _: Moody) {
    let watched = Watched::new(store.clone(), TakesNone(true.into()));
    let sagas = started(&watched, &Backends::new([])).await;
    dropped(&store, &sagas, "it is more than the store takes").await;
}

on_each_store_with_a_codec!(
    one_that_cannot_be_read_hides_none_that_is_parked,
    one_that_its_codec_holds_up_is_dropped,
    one_whose_records_are_refused_is_dropped,
);

/// How often a saga that is stuck is called in a day, by so many runners.
async fn calls_in_a_day(runners: usize) -> usize {
    let codec = Moody::default();
    let store = MemoryStore::builder().codec(codec.clone()).build();
    codec.is(Mood::PanicsAtDone);
    let (backends, mut started) = (Backends::new([]), Vec::new());
    for _ in 0..runners {
        let sagas = runner(&store, &backends).polling(Duration::from_secs(1));
        let sagas = sagas.lease(Duration::from_hours(1)).start().await;
        started.push(sagas.expect("the store is there"));
    }
    started[0].begin::<Booking>("t-1", trip()).await.expect("it begins");
    tokio::time::sleep(Duration::from_hours(24)).await;
    assert_eq!(backends.effects(), ["flight"]);
    backends.calls().len()
}

#[tokio::test(start_paused = true)]
async fn one_that_is_stuck_is_called_ever_more_seldom() {
    // After 30 s, a minute, two, … and then each hour.
    let calls = calls_in_a_day(1).await;
    assert!((28..=32).contains(&calls), "{calls} calls");
    let calls = calls_in_a_day(2).await;
    assert!((40..=70).contains(&calls), "{calls} calls");
}
