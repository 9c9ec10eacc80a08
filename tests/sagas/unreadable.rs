//! Sagas with data that no program can read: none begins so, and a person ends one that has become so.

use std::sync::{Arc, Mutex, PoisonError};

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use crate::on_each_store;
use crate::scene::{PATIENCE, Store, log_head, story, until};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Weight {
    kilograms: f64,
    #[serde(skip_serializing)]
    note: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Forgotten {
    #[serde(skip_serializing)]
    total: u64,
}

struct Weighed;

#[saga(name = "weighed", data = Weight)]
impl Weighed {
    #[step]
    async fn weigh(weight: &Weight) {
        assert_eq!(weight.note, None);
    }
}

struct Left;

#[saga(name = "left_out", data = Forgotten)]
impl Left {
    #[step]
    async fn pay(forgotten: &Forgotten) {
        assert_eq!(forgotten.total, 7);
    }
}

async fn what_does_not_read_back_is_not_begun(store: impl Store) {
    let sagas = SagaRunner::new(store.clone(), Arc::new(()));
    let weight = |kilograms| Weight { kilograms, note: None };
    let run = sagas.run::<Weighed>("w-1", weight(f64::NAN)).await;
    let begun = sagas.begin::<Weighed>("w-1", weight(f64::NAN)).await;
    let left = sagas.begin::<Left>("w-1", Forgotten { total: 7 }).await;
    let whys = [
        "weighed: its data does not read back as it was written: weighed: the data of version 1 cannot be read: invalid type: null, expected f64 at line 1 column 17",
        "left_out: its data does not read back as it was written: left_out: the data of version 1 cannot be read: missing field `total` at line 1 column 2",
    ];
    let refused = [(run.map(drop), whys[0]), (begun, whys[0]), (left, whys[1])];
    for (answer, why) in refused {
        let error = answer.expect_err("nobody could go on with it");
        assert!(matches!(error, SagaError::Data(_)), "{error}");
        assert_eq!(error.to_string(), "the data of the saga cannot be kept as JSON");
        let source = std::error::Error::source(&error).expect("it says why");
        assert_eq!(source.to_string(), why);
    }
    assert_eq!(log_head(&store).await, 0);
    let outcome = sagas.run::<Weighed>("w-1", weight(7.5)).await.expect("it is run");
    assert_eq!(outcome, SagaOutcome::Completed);
}

/// What a program reads so often, and then no more, as after a release whose data is another.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
struct Fading(u64);

static LEFT: Mutex<Vec<(u64, u32)>> = Mutex::new(Vec::new());

impl Fading {
    fn read(times: u32) -> Self {
        let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
        let id = left.len() as u64;
        left.push((id, times));
        Self(id)
    }
}

impl TryFrom<u64> for Fading {
    type Error = &'static str;

    fn try_from(id: u64) -> Result<Self, &'static str> {
        let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
        let of_it = left.iter_mut().find(|(known, _)| *known == id).ok_or("nobody knows it")?;
        of_it.1 = of_it.1.checked_sub(1).ok_or("it is read no more")?;
        Ok(Self(id))
    }
}

impl From<Fading> for u64 {
    fn from(fading: Fading) -> Self {
        fading.0
    }
}

struct Fades;

#[saga(name = "fades", data = Fading)]
impl Fades {
    #[step(undo = back)]
    async fn first(_: &Fading) {}

    async fn back(_: &Fading) {}

    #[step]
    async fn second(_: &Fading) {}
}

async fn a_person_ends_what_no_program_goes_on_with(store: impl Store) {
    let sagas = SagaRunner::builder(store.clone(), Arc::new(())).register::<Fades>();
    let sagas = sagas.start().await.expect("the store is there");
    // Once where it begins, and twice for its first step.
    sagas.begin::<Fades>("f-1", Fading::read(3)).await.expect("it begins");
    until(async || !sagas.status().stuck.is_empty() && sagas.status().running == 0).await;
    let error = sagas.retry_parked::<Fades>("f-1").await.expect_err("it is read no more");
    let why = "fades: the data of version 1 cannot be read: it is read no more at line 1 column 1";
    let SagaError::Stuck { reason, .. } = &error else { panic!("{error}") };
    assert!(reason.starts_with("fades: the data of version 1 cannot be read"), "{why}: {reason}");

    sagas.drop_parked::<Fades>("f-1").await.expect("nobody goes on with it");
    let outcome = tokio::time::timeout(PATIENCE, sagas.outcome::<Fades>("f-1")).await;
    let outcome = outcome.expect("it has ended").expect("it has ended");
    let SagaOutcome::Dropped { failed_step, error, not_undone, .. } = &outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((&**failed_step, error), ("second", reason));
    assert_eq!(not_undone, &["first"]);
    assert_eq!(story(&store, "fades", "f-1").await.last().map(String::as_str), Some("ended"));
    assert!(sagas.status().stuck.is_empty());
    let error = sagas.drop_parked::<Fades>("f-1").await.expect_err("it is over");
    assert!(matches!(error, SagaError::NotParked { .. }), "{error}");
}

async fn what_can_go_on_is_not_dropped(store: impl Store) {
    let sagas = SagaRunner::new(store.clone(), Arc::new(()));
    sagas.run::<Fades>("f-2", Fading::read(100)).await.expect("it is run");
    let left = SagaRunner::new(store.clone(), Arc::new(()));
    let error = left.drop_parked::<Fades>("f-2").await.expect_err("it has ended");
    assert!(matches!(error, SagaError::NotParked { .. }), "{error}");
}

on_each_store!(
    what_does_not_read_back_is_not_begun,
    a_person_ends_what_no_program_goes_on_with,
    what_can_go_on_is_not_dropped,
);
