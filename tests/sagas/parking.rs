//! Sagas that wait for a person.

use annals::prelude::*;

use crate::on_each_store;
use crate::scene::{Store, log_of, started, story, until};
use crate::trip::{Backends, Booking, How, trip};

async fn an_undo_that_keeps_failing_is_parked_and_the_others_run(store: impl Store) {
    let backends = Backends::new([
        ("mail", How::Fails(1)),
        ("undo payment", How::Fails(u32::MAX)),
        ("undo hotel", How::Fails(u32::MAX)),
    ]);
    let sagas = started(&store, &backends).await;
    let outcome = sagas.run::<Booking>("t-1", trip()).await.expect("it is run");
    let SagaOutcome::Parked { failed_step, not_undone, .. } = &outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((&**failed_step, &**not_undone), ("mail", &["payment".into(), "hotel".into()][..]));
    assert_eq!(backends.effects().last().map(String::as_str), Some("undo flight"));
    // It waits: run again, it is what it was, and nobody is called.
    let calls = backends.calls();
    assert_eq!(sagas.run::<Booking>("t-1", trip()).await.expect("it is answered"), outcome);
    assert_eq!(sagas.resume_all().await.expect("the store is there"), 0);
    assert_eq!(backends.calls(), calls);
    let parked = sagas.parked().await.expect("the store is there");
    let [parked] = &parked[..] else { panic!("{parked:?}") };
    assert_eq!((&*parked.saga, &*parked.id, &*parked.failed_step), ("booking", "t-1", "mail"));
    assert_eq!(parked.error, "mail is down");
    let why = |at: usize| (&*parked.not_undone[at].step, &*parked.not_undone[at].error);
    assert_eq!(
        [why(0), why(1)],
        [("payment", "undo payment is down"), ("hotel", "undo hotel is down")]
    );
}

async fn a_person_has_it_tried_again(store: impl Store) {
    let backends =
        Backends::new([("mail", How::Fails(1)), ("undo hotel", How::FailsAfterwards(u32::MAX))]);
    let sagas = started(&store, &backends).await;
    sagas.run::<Booking>("t-1", trip()).await.expect("it is run");
    // Nothing is mended: it is parked again, after as many tries.
    let outcome = sagas.retry_parked::<Booking>("t-1").await.expect("it is parked");
    assert!(matches!(&outcome, SagaOutcome::Parked { not_undone, .. } if not_undone == &["hotel"]));
    assert_eq!(backends.calls_of("undo hotel").len(), 12);
    backends.mend("undo hotel");
    // Any program may do it.
    let others = SagaRunner::new(store.clone(), backends.clone());
    let outcome = others.retry_parked::<Booking>("t-1").await.expect("it is parked");
    assert!(
        matches!(&outcome, SagaOutcome::Compensated { failed_step, .. } if failed_step == "mail"),
        "{outcome:?}"
    );
    assert!(sagas.parked().await.expect("the store is there").is_empty());
    assert_eq!(sagas.run::<Booking>("t-1", trip()).await.expect("it is answered"), outcome);
    // Only what was not undone was tried again, under its key.
    assert_eq!(backends.calls_of("undo flight").len(), 1);
    assert_eq!(backends.effects().iter().filter(|name| *name == "undo hotel").count(), 1);
    let error = sagas.retry_parked::<Booking>("t-1").await.expect_err("it is over");
    assert_eq!(error.to_string(), "saga `booking` of the id `t-1` is not parked: see `parked()`");
}

async fn a_retry_that_is_begun_goes_on(store: impl Store) {
    let backends = Backends::new([("mail", How::Fails(1)), ("undo hotel", How::Fails(u32::MAX))]);
    let sagas = started(&store, &backends).await;
    sagas.run::<Booking>("t-1", trip()).await.expect("it is run");
    backends.set("undo hotel", How::Waits);
    sagas.begin_retry::<Booking>("t-1").await.expect("it is parked");
    // Before it has ended, its log says so.
    let story = story(&store, "booking", "t-1").await;
    assert_eq!(story.iter().filter(|record| *record == "retried").count(), 1, "{story:?}");
    backends.let_go.notify_one();
    let outcome = sagas.outcome::<Booking>("t-1").await.expect("it ends");
    assert!(matches!(outcome, SagaOutcome::Compensated { .. }), "{outcome:?}");
    let error = sagas.begin_retry::<Booking>("t-1").await.expect_err("it is over");
    assert!(matches!(error, SagaError::NotParked { .. }), "{error}");
}

async fn a_person_leaves_it_as_it_is(store: impl Store) {
    let backends = Backends::new([("mail", How::Fails(1)), ("undo hotel", How::Fails(u32::MAX))]);
    let sagas = started(&store, &backends).await;
    sagas.run::<Booking>("t-1", trip()).await.expect("it is run");
    sagas.drop_parked::<Booking>("t-1").await.expect("it is parked");
    let outcome = sagas.run::<Booking>("t-1", trip()).await.expect("it is answered");
    let SagaOutcome::Dropped { failed_step, not_undone, .. } = &outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((&**failed_step, &**not_undone), ("mail", &["hotel".to_owned()][..]));
    assert!(sagas.parked().await.expect("the store is there").is_empty());
    let story = story(&store, "booking", "t-1").await;
    assert_eq!(story.iter().rev().take(2).collect::<Vec<_>>(), ["ended", "parked"]);
    let error = sagas.drop_parked::<Booking>("t-1").await.expect_err("it is over");
    assert!(matches!(error, SagaError::NotParked { .. }), "{error}");
}

async fn whose_decision_it_was_the_log_says(store: impl Store) {
    let backends = Backends::new([("mail", How::Fails(2)), ("undo hotel", How::Fails(12))]);
    let sagas = started(&store, &backends).await;
    for id in ["t-1", "t-2"] {
        let run = sagas.run::<Booking>(id, trip()).user("ada").correlation_id("request-1");
        run.header("traceparent", "of ada").await.expect("it is run");
    }
    let retry = sagas.retry_parked::<Booking>("t-1").user("bob").header("traceparent", "of bob");
    retry.await.expect("it is parked");
    sagas.drop_parked::<Booking>("t-2").user("eve").correlation_id("call-7").await.expect("it is");

    let said = |event: &RecordedEvent| {
        let metadata = &event.metadata;
        let trace = metadata.headers.get("traceparent").cloned().unwrap_or_default();
        let (user, correlation) = (metadata.user.clone(), metadata.correlation_id.clone());
        [user.unwrap_or_default(), correlation.unwrap_or_default(), trace]
    };
    let (told, log) =
        (story(&store, "booking", "t-1").await, log_of(&store, "booking", "t-1").await);
    let retried = told.iter().position(|record| record == "retried").expect("it was");
    assert!(retried + 2 < log.len(), "{told:?}");
    for (at, event) in log.iter().enumerate() {
        let (user, trace) = if at < retried { ("ada", "of ada") } else { ("bob", "of bob") };
        assert_eq!(said(event), [user, "request-1", trace], "{}", told[at]);
        let cause = at.checked_sub(1).map(|before| log[before].id.to_string());
        if told[at] != "called hotel" && told[at] != "taken" && at > 0 {
            assert!(event.metadata.causation_id.is_some(), "{}", told[at]);
        }
        if at == retried {
            assert_eq!(event.metadata.causation_id, cause);
        }
    }
    let undone = backends.calls_of("undo hotel");
    assert_eq!(undone.last().expect("it is undone").user.as_deref(), Some("bob"));
    assert_eq!(undone[0].user.as_deref(), Some("ada"));
    let log = log_of(&store, "booking", "t-2").await;
    assert_eq!(said(log.last().expect("it has ended")), ["eve", "call-7", "of ada"]);
    assert_eq!(said(&log[log.len() - 2]), ["ada", "request-1", "of ada"]);
    // Another program goes on for the same person.
    let again = SagaRunner::new(store.clone(), backends.clone());
    assert!(again.outcome::<Booking>("t-1").await.expect("it has ended").is_final());
}

async fn what_is_not_said_of_a_retry_stays_the_sagas(store: impl Store) {
    let backends = Backends::new([("mail", How::Fails(2)), ("undo hotel", How::Fails(12))]);
    let sagas = started(&store, &backends).await;
    for id in ["t-1", "t-2"] {
        let run = sagas.run::<Booking>(id, trip()).user("ada").header("tenant", "north");
        run.header("traceparent", "of ada").await.expect("it is run");
    }
    sagas.retry_parked::<Booking>("t-1").await.expect("it is parked");
    let retry = sagas.retry_parked::<Booking>("t-2").header("traceparent", "of bob");
    retry.await.expect("it is parked");
    for (id, trace) in [("t-1", "of ada"), ("t-2", "of bob")] {
        let last = log_of(&store, "booking", id).await.pop().expect("it has ended");
        let Metadata { user, headers, correlation_id, .. } = &*last.metadata;
        assert_eq!(user.as_deref(), Some("ada"), "{id}");
        assert_eq!((&*headers["tenant"], &*headers["traceparent"]), ("north", trace), "{id}");
        assert_eq!(correlation_id.clone(), Some(format!("annals/saga/booking-{id}")));
    }
    let undone = backends.calls_of("undo hotel");
    assert!(undone.iter().all(|call| call.user.as_deref() == Some("ada")), "{undone:?}");
}

async fn what_was_never_begun_or_runs_is_not_parked(store: impl Store) {
    let backends = Backends::new([("flight", How::Waits)]);
    let sagas = started(&store, &backends).await;
    let error = sagas.retry_parked::<Booking>("t-1").await.expect_err("it never began");
    assert_eq!(error.to_string(), "saga `booking` was never begun under the id `t-1`");
    let error = sagas.outcome::<Booking>("t-1").await.expect_err("it never began");
    assert!(matches!(error, SagaError::NotBegun { .. }), "{error}");
    sagas.begin::<Booking>("t-1", trip()).await.expect("it begins");
    backends.arrived.notified().await;
    let error = sagas.drop_parked::<Booking>("t-1").await.expect_err("it runs");
    assert!(matches!(error, SagaError::NotParked { .. }), "{error}");
    backends.let_go.notify_one();
    until(async || sagas.status().running == 0).await;
}

on_each_store!(
    an_undo_that_keeps_failing_is_parked_and_the_others_run,
    a_person_has_it_tried_again,
    a_retry_that_is_begun_goes_on,
    a_person_leaves_it_as_it_is,
    whose_decision_it_was_the_log_says,
    what_is_not_said_of_a_retry_stays_the_sagas,
    what_was_never_begun_or_runs_is_not_parked,
);
