//! How sagas end, and what their logs keep.

use annals::prelude::*;
use serde_json::json;

use crate::on_each_store;
use crate::scene::{Store, log_head, records, started, story};
use crate::trip::{Backends, Booking, How, Trip, trip};

async fn all_steps_are_done_in_order(store: impl Store) {
    let backends = Backends::new([]);
    let sagas = started(&store, &backends).await;
    let outcome = sagas.run::<Booking>("t-1", trip()).await.expect("it is run");
    assert_eq!(outcome, SagaOutcome::Completed);
    let steps = ["flight", "hotel", "insurance", "payment", "mail"];
    assert_eq!(backends.calls(), steps);
    let mut expected = vec!["begun".to_owned()];
    for step in steps {
        expected.extend([format!("called {step}"), format!("done {step}")]);
    }
    expected.push("ended".to_owned());
    assert_eq!(story(&store, "booking", "t-1").await, expected);
}

/// What takes futures takes it: it is no builder that has to be turned into one.
async fn what_runs_a_saga_is_a_future(store: impl Store) {
    let sagas = started(&store, &Backends::new([])).await;
    let runs = ["t-1", "t-2"].map(|id| sagas.run::<Booking>(id, trip()).user("ada"));
    for outcome in futures::future::join_all(runs).await {
        assert_eq!(outcome.expect("it is run"), SagaOutcome::Completed);
    }
    let begun = tokio::spawn(sagas.begin::<Booking>("t-3", trip())).await;
    begun.expect("it does not panic").expect("it begins");
}

async fn the_log_has_the_data_before_and_after_each_step(store: impl Store) {
    let sagas = started(&store, &Backends::new([])).await;
    sagas.run::<Booking>("t-1", trip()).await.expect("it is run");
    let records = records(&store, "booking", "t-1").await;
    let kept: Vec<_> = records
        .iter()
        .filter(|(_, content)| content["data"].is_object())
        .map(|(name, content)| (name.as_str(), content["data"]["json"]["booked"].clone()))
        .collect();
    let all = json!(["flight 1", "hotel 1"]);
    assert_eq!(
        kept,
        [
            ("begun", json!([])),
            ("done", json!(["flight 1"])),
            ("done", all.clone()),
            ("done", all.clone()),
            ("done", all.clone()),
            ("done", all.clone()),
            ("ended", all),
        ]
    );
}

async fn what_is_done_is_undone_in_reverse(store: impl Store) {
    let backends = Backends::new([("mail", How::Fails(1))]);
    let sagas = started(&store, &backends).await;
    let outcome = sagas.run::<Booking>("t-1", trip()).await.expect("it is run");
    let SagaOutcome::Compensated { failed_step, error, .. } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((&*failed_step, &*error), ("mail", "mail is down"));
    assert_eq!(
        backends.calls(),
        [
            "flight",
            "hotel",
            "insurance",
            "payment",
            "mail",
            "undo payment",
            "undo hotel",
            "undo flight"
        ]
    );
    // Each undo starts from what the one before it left.
    let records = records(&store, "booking", "t-1").await;
    let (_, ended) = records.last().expect("it has ended");
    assert_eq!(ended["data"]["json"]["booked"], json!([]));
}

async fn the_undo_of_the_step_that_failed_is_not_called(store: impl Store) {
    let backends = Backends::new([("payment", How::FailsAfterwards(1))]);
    let sagas = started(&store, &backends).await;
    let outcome = sagas.run::<Booking>("t-1", trip()).await.expect("it is run");
    assert!(
        matches!(outcome, SagaOutcome::Compensated { failed_step, .. } if failed_step == "payment")
    );
    assert!(backends.calls_of("undo payment").is_empty());
    assert_eq!(backends.calls_of("undo hotel").len(), 1);
}

async fn run_again_it_answers_from_its_log(store: impl Store) {
    let backends = Backends::new([("insurance", How::Fails(1))]);
    let sagas = started(&store, &backends).await;
    let first = sagas.run::<Booking>("t-1", trip()).await.expect("it is run");
    let (calls, head) = (backends.calls(), log_head(&store).await);
    assert_eq!(sagas.run::<Booking>("t-1", trip()).await.expect("it is answered"), first);
    assert_eq!(sagas.outcome::<Booking>("t-1").await.expect("it is answered"), first);
    // Another program does, too.
    let others = SagaRunner::new(store.clone(), backends.clone());
    assert_eq!(others.run::<Booking>("t-1", trip()).await.expect("it is answered"), first);
    assert_eq!((backends.calls(), log_head(&store).await), (calls, head));
}

async fn other_data_under_the_same_id_is_refused(store: impl Store) {
    let backends = Backends::new([]);
    let sagas = started(&store, &backends).await;
    sagas.run::<Booking>("t-1", trip()).await.expect("it is run");
    let other = Trip { traveller: "eve".into(), ..trip() };
    let error = sagas.run::<Booking>("t-1", other.clone()).await.expect_err("other data");
    assert_eq!(
        error.to_string(),
        "saga `booking` was begun under the id `t-1` before, with other data; begin another one under an id of its own"
    );
    let error = sagas.begin::<Booking>("t-1", other.clone()).await.expect_err("other data");
    assert!(matches!(error, SagaError::OtherData { .. }), "{error}");
    sagas.run::<Booking>("t-2", other).await.expect("another id is another saga");
    assert_eq!(backends.calls_of("flight").len(), 2);
}

async fn calls_at_once_under_one_id_are_one_saga(store: impl Store) {
    let backends = Backends::new([]);
    let (here, there) = (started(&store, &backends).await, started(&store, &backends).await);
    let runs = (0..8).map(|number| {
        let sagas = if number % 2 == 0 { &here } else { &there };
        sagas.run::<Booking>("t-1", trip()).into_future()
    });
    for outcome in futures::future::join_all(runs).await {
        assert_eq!(outcome.expect("it is run"), SagaOutcome::Completed);
    }
    assert_eq!(backends.calls().len(), 5, "{:?}", backends.calls());
}

on_each_store!(
    what_runs_a_saga_is_a_future,
    all_steps_are_done_in_order,
    the_log_has_the_data_before_and_after_each_step,
    what_is_done_is_undone_in_reverse,
    the_undo_of_the_step_that_failed_is_not_called,
    run_again_it_answers_from_its_log,
    other_data_under_the_same_id_is_refused,
    calls_at_once_under_one_id_are_one_saga,
);
