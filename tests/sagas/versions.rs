//! Sagas whose data changed its shape, or whose steps are other ones, while some were under way.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use annals::prelude::*;
use annals::saga::SagaStep;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::on_each_store;
use crate::scene::{Mortal, PATIENCE, Store, records, story, until};
use crate::trip::{Backends, How};

/// What the first release knew: one name.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct OldGuest {
    name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Guest {
    first: String,
    last: String,
}

struct OldStay;

/// By hand: the program registers the saga of today only.
impl Saga for OldStay {
    type Data = OldGuest;
    type Services = Backends;
    const NAME: &'static str = "stay";

    fn steps() -> Vec<SagaStep<Self>> {
        vec![SagaStep::new("invite", |_, _, _| Box::pin(std::future::pending()))]
    }
}

struct Stay;

fn split_name(old: Value) -> Result<Value, &'static str> {
    let name = old["name"].as_str().ok_or("`name` is no text")?;
    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
    Ok(json!({ "first": first, "last": last }))
}

#[saga(name = "stay", data = Guest, services = Backends, version = 2, upcast(from = 1, with = split_name))]
impl Stay {
    #[step]
    async fn invite(guest: &Guest, backends: &Backends) {
        backends.set("guest", How::Hangs);
        backends.set(&guest.first, How::Hangs);
        assert_eq!(guest.last, "Lovelace");
    }
}

/// A later release, whose shape nobody here knows.
struct LaterStay;

impl Saga for LaterStay {
    type Data = u64;
    type Services = Backends;
    const NAME: &'static str = "stay";
    const VERSION: u32 = 3;

    fn steps() -> Vec<SagaStep<Self>> {
        vec![SagaStep::new("invite", |_, _, _| Box::pin(std::future::pending()))]
    }
}

/// A release that knew the step by another name.
struct RenamedStay;

impl Saga for RenamedStay {
    type Data = Guest;
    type Services = Backends;
    const NAME: &'static str = "stay";
    const VERSION: u32 = 2;

    fn steps() -> Vec<SagaStep<Self>> {
        vec![SagaStep::new("welcome", |_, _, _| Box::pin(std::future::pending()))]
    }
}

fn builder<S: Saga>(store: &impl Store) -> annals::saga::SagaRunnerBuilder {
    crate::scene::runner(store, &Backends::new([])).register::<S>()
}

/// Begins a saga of another release, whose runner dies while its step is called.
async fn left<S: Saga<Services = Backends>>(store: &impl Store, data: S::Data) {
    let bare = SagaRunner::builder(store.clone(), Backends::new([])).register::<S>();
    let bare = bare.lease(std::time::Duration::from_millis(300));
    let mortal = Mortal::start(bare).await;
    let sagas = mortal.sagas.clone();
    mortal.within(async move { sagas.begin::<S>("s-1", data).await }).await.expect("it begins");
    mortal.die();
}

async fn data_of_an_earlier_version_is_led_up(store: impl Store) {
    left::<OldStay>(&store, OldGuest { name: "Ada Lovelace".into() }).await;
    let sagas = builder::<Stay>(&store).start().await.expect("the store is there");
    // It is the same saga, though it was begun in another shape.
    let guest = Guest { first: "Ada".into(), last: "Lovelace".into() };
    let outcome = sagas.run::<Stay>("s-1", guest.clone()).await.expect("it is the same data");
    assert_eq!(outcome, SagaOutcome::Completed);
    let other = Guest { first: "Eve".into(), ..guest };
    let error = sagas.run::<Stay>("s-1", other).await.expect_err("it is other data");
    assert!(matches!(error, SagaError::OtherData { .. }), "{error}");
}

async fn data_of_a_later_version_holds_its_saga_up_and_says_so(store: impl Store) {
    left::<LaterStay>(&store, 7).await;
    let sagas = builder::<Stay>(&store).start().await.expect("others are not concerned");
    until(async || !sagas.status().stuck.is_empty()).await;
    let [stuck] = &sagas.status().stuck[..] else { panic!("{:?}", sagas.status()) };
    assert_eq!((&*stuck.saga, &*stuck.id), ("stay", "s-1"));
    assert_eq!(
        stuck.reason,
        "stay: the data of version 3 cannot be read: it is newer than version 2, which this program knows"
    );
    // Its log is as it was.
    assert_eq!(story(&store, "stay", "s-1").await, ["begun", "called invite"]);
}

async fn a_step_that_is_under_way_and_gone_holds_its_saga_up(store: impl Store) {
    let guest = Guest { first: "Ada".into(), last: "Lovelace".into() };
    left::<RenamedStay>(&store, guest.clone()).await;
    let sagas = builder::<Stay>(&store).start().await.expect("others are not concerned");
    let error = sagas.run::<Stay>("s-1", guest).await.expect_err("nobody knows what was done");
    assert_eq!(
        error.to_string(),
        "saga `stay` of the id `s-1` cannot go on: its log is under way with step `welcome`, which this program does not have; a step that was renamed keeps its name by `#[step(name = \"welcome\")]`"
    );
}

struct Before;

impl Saga for Before {
    type Data = ();
    type Services = Arc<Backends>;
    const NAME: &'static str = "changing";

    fn steps() -> Vec<SagaStep<Self>> {
        let done = || SagaStep::new("gone", |_, _, _| Box::pin(async { Ok(()) }));
        vec![
            done().with_undo(|_, _, _| Box::pin(async { Ok(()) })),
            SagaStep::new("stays", |_, _, _| Box::pin(std::future::pending())),
        ]
    }
}

struct After;

impl Saga for After {
    type Data = ();
    type Services = Arc<Backends>;
    const NAME: &'static str = "changing";

    fn steps() -> Vec<SagaStep<Self>> {
        vec![SagaStep::new("stays", |_, _, _| Box::pin(async { Err("it is down".into()) }))]
    }
}

async fn what_a_program_cannot_undo_any_more_is_parked(store: impl Store) {
    let services = Arc::new(Backends::new([]));
    let lease = std::time::Duration::from_millis(300);
    let old = SagaRunner::builder(store.clone(), services.clone()).register::<Before>();
    let mortal = Mortal::start(old.lease(lease)).await;
    let sagas = mortal.sagas.clone();
    mortal.within(async move { sagas.begin::<Before>("c-1", ()).await }).await.expect("it begins");
    until(async || {
        story(&store, "changing", "c-1").await.last().is_some_and(|last| last == "called stays")
    })
    .await;
    mortal.die();
    let new = SagaRunner::builder(store.clone(), services).register::<After>();
    let new = new.backoff(std::time::Duration::ZERO).start().await.expect("the store is there");
    let outcome = new.run::<After>("c-1", ()).await.expect("it goes on");
    assert!(
        matches!(&outcome, SagaOutcome::Parked { not_undone, .. } if not_undone == &["gone"]),
        "{outcome:?}"
    );
    let parked = new.parked().await.expect("the store is there");
    assert_eq!(parked[0].not_undone[0].error, "the program has no undo of step `gone` any more");
}

macro_rules! release {
    ($name:ident, $data:ty, $step:literal, $how:expr) => {
        struct $name;

        impl Saga for $name {
            type Data = $data;
            type Services = Backends;
            const NAME: &'static str = "rolling";

            fn steps() -> Vec<SagaStep<Self>> {
                vec![SagaStep::new($step, |_, _, _| Box::pin($how))]
            }
        }
    };
}

release!(Hangs, (), "new", std::future::pending());
release!(New, (), "new", async { Ok(()) });
release!(Old, (), "old", async { Ok(()) });

fn release<S: Saga>(store: &impl Store) -> annals::saga::SagaRunnerBuilder {
    crate::scene::runner(store, &Backends::new([])).register::<S>()
}

async fn what_one_release_cannot_go_on_with_another_does(store: impl Store) {
    let mortal = Mortal::start(release::<Hangs>(&store)).await;
    let sagas = mortal.sagas.clone();
    let begun = mortal.within(async move { sagas.begin::<Hangs>("s-1", ()).await }).await;
    begun.expect("it begins");
    mortal.die();
    let old = release::<Old>(&store).start().await.expect("others are not concerned");
    until(async || !old.status().stuck.is_empty()).await;
    // As often as it looks, it leaves it alone.
    for _ in 0..5 {
        let error = old.run::<Old>("s-1", ()).await.expect_err("it lacks the step");
        assert!(matches!(error, SagaError::Stuck { .. }), "{error}");
        old.begin::<Old>("s-1", ()).await.expect("it is begun");
    }
    assert_eq!(story(&store, "rolling", "s-1").await, ["begun", "called new"]);
    // The old one lives.
    let new = release::<New>(&store).start().await.expect("the store is there");
    let outcome = tokio::time::timeout(PATIENCE, new.outcome::<New>("s-1")).await;
    let outcome = outcome.expect("nobody keeps it").expect("it goes on");
    assert_eq!(outcome, SagaOutcome::Completed);
}

/// What it writes, it reads once: where a saga begins with it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(try_from = "u64", into = "u64")]
struct Unread(u64);

static READ: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

impl Unread {
    fn new() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        Self(MADE.fetch_add(1, Ordering::SeqCst))
    }
}

impl TryFrom<u64> for Unread {
    type Error = &'static str;

    fn try_from(number: u64) -> Result<Self, &'static str> {
        let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
        if read.insert(number) { Ok(Self(number)) } else { Err("it is read once") }
    }
}

impl From<Unread> for u64 {
    fn from(unread: Unread) -> Self {
        unread.0
    }
}

release!(Unreading, Unread, "new", async { Ok(()) });
release!(Reading, u64, "new", async { Ok(()) });

async fn what_gets_stuck_later_is_given_up(store: impl Store) {
    let stuck = release::<Unreading>(&store).start().await.expect("the store is there");
    let error = stuck.run::<Unreading>("s-1", Unread::new()).await.expect_err("it reads nothing");
    assert!(matches!(error, SagaError::Stuck { .. }), "{error}");
    assert_eq!(story(&store, "rolling", "s-1").await, ["begun", "called new", "taken"]);
    // It lives, and has another saga under its seat.
    stuck.run::<Unreading>("s-2", Unread::new()).await.expect_err("it reads nothing");
    let reads = release::<Reading>(&store).start().await.expect("the store is there");
    for id in ["s-1", "s-2"] {
        let outcome = tokio::time::timeout(PATIENCE, reads.outcome::<Reading>(id)).await;
        let outcome = outcome.expect("nobody keeps it").expect("it goes on");
        assert_eq!(outcome, SagaOutcome::Completed);
    }
}

struct Trying;

impl Saga for Trying {
    type Data = ();
    type Services = Backends;
    const NAME: &'static str = "rolling";

    fn steps() -> Vec<SagaStep<Self>> {
        let down = SagaStep::new("new", |_, _, _| Box::pin(async { Err("it is down".into()) }));
        vec![down.with_retries(3)]
    }
}

struct Retrying;

impl Saga for Retrying {
    type Data = ();
    type Services = Backends;
    const NAME: &'static str = "rolling";

    fn steps() -> Vec<SagaStep<Self>> {
        let down = SagaStep::new("old", |_, _, _| Box::pin(async { Err("it is down".into()) }));
        vec![down.with_retries(9)]
    }
}

async fn the_tries_of_one_step_count_for_no_other(store: impl Store) {
    let old = release::<Retrying>(&store).backoff(Duration::from_mins(1)).start().await;
    let old = old.expect("the store is there");
    old.begin::<Retrying>("s-1", ()).await.expect("it begins");
    let has_failed =
        async || story(&store, "rolling", "s-1").await.contains(&"failed old".to_owned());
    until(has_failed).await;
    old.shutdown().await;
    let new = release::<Trying>(&store).start().await.expect("the store is there");
    let outcome = tokio::time::timeout(PATIENCE, new.outcome::<Trying>("s-1")).await;
    // Nor does it wait for when that one would be tried again.
    let outcome = outcome.expect("it waits for nothing").expect("it goes on");
    assert!(matches!(outcome, SagaOutcome::Compensated { .. }), "{outcome:?}");
    let tries: Vec<u64> = records(&store, "rolling", "s-1")
        .await
        .iter()
        .filter(|(name, call)| name == "called" && call["step"] == "new")
        .filter_map(|(_, call)| call["attempt"].as_u64())
        .collect();
    assert_eq!(tries, [1, 2, 3, 4]);
}

on_each_store!(
    the_tries_of_one_step_count_for_no_other,
    data_of_an_earlier_version_is_led_up,
    data_of_a_later_version_holds_its_saga_up_and_says_so,
    a_step_that_is_under_way_and_gone_holds_its_saga_up,
    what_a_program_cannot_undo_any_more_is_parked,
    what_one_release_cannot_go_on_with_another_does,
    what_gets_stuck_later_is_given_up,
);
