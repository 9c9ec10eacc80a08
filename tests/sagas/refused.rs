//! What a runner refuses, and how it says so.

use std::sync::Arc;

use annals::prelude::*;
use annals::saga::SagaStep;

use crate::trip::{Backends, Booking, trip};

fn bare<S: Saga<Data = (), Services = ()>>(names: &[&'static str]) -> Vec<SagaStep<S>> {
    names.iter().map(|name| SagaStep::new(name, |_, _, _| Box::pin(async { Ok(()) }))).collect()
}

macro_rules! saga {
    ($saga:ident, $name:literal, $steps:expr) => {
        struct $saga;

        impl Saga for $saga {
            type Data = ();
            type Services = ();
            const NAME: &'static str = $name;

            fn steps() -> Vec<SagaStep<Self>> {
                bare(&$steps)
            }
        }
    };
}

saga!(Sound, "sound", ["one"]);
saga!(Namesake, "booking", ["one"]);
saga!(Slashed, "a/b", ["one"]);
saga!(Twice, "twice", ["one", "one"]);
saga!(Nothing, "nothing", []);
saga!(Nameless, "nameless", [""]);

async fn refused<S: Saga<Data = ()>>() -> String {
    let store = MemoryStore::new();
    let builder = SagaRunner::builder(store.clone(), Arc::new(())).register::<S>();
    let started = builder.start().await.expect_err("it cannot be run").to_string();
    let sagas = SagaRunner::new(store, Arc::new(()));
    let run = sagas.run::<S>("s-1", ()).await.expect_err("it cannot be run").to_string();
    assert_eq!(started, run);
    run
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_before_anything_runs() {
    assert_eq!(refused::<Slashed>().await, "saga `a/b` cannot be run: its name cannot contain `/`");
    assert_eq!(refused::<Twice>().await, "saga `twice` cannot be run: two steps are called `one`");
    assert_eq!(refused::<Nothing>().await, "saga `nothing` cannot be run: it has no steps");
    assert_eq!(
        refused::<Nameless>().await,
        "saga `nameless` cannot be run: a step's name is neither empty nor contains `/`: \"\""
    );
}

#[tokio::test]
async fn an_id_that_names_no_stream_is_refused() {
    let sagas = SagaRunner::new(MemoryStore::new(), Arc::new(()));
    let error = sagas.run::<Sound>("", ()).await.expect_err("no id");
    assert_eq!(error.to_string(), "begin saga `sound`: the id is empty");
    assert_eq!(sagas.run::<Sound>("s-1", ()).await.expect("it is run"), SagaOutcome::Completed);
}

#[tokio::test]
async fn missing_services_are_an_error_where_they_are_missed() {
    let store = MemoryStore::new();
    let error = SagaRunner::builder(store.clone(), Arc::new(7_u64))
        .register::<Booking>()
        .start()
        .await
        .expect_err("it lacks its services");
    let message = "saga `sagas::trip::Booking` has no services: give them by `SagaRunner::builder(…).services::<Booking>(…)`";
    assert_eq!(error.to_string(), message);
    let sagas = SagaRunner::new(store.clone(), Arc::new(7_u64));
    let error = sagas.run::<Booking>("t-1", trip()).await.expect_err("it lacks its services");
    assert_eq!(error.to_string(), message);
    // One that needs none is not concerned.
    assert_eq!(sagas.run::<Sound>("s-1", ()).await.expect("it is run"), SagaOutcome::Completed);
    let sagas = SagaRunner::builder(store, Arc::new(7_u64))
        .register::<Booking>()
        .services::<Booking>(Backends::default())
        .start()
        .await
        .expect("it has its services");
    assert_eq!(
        sagas.run::<Booking>("t-1", trip()).await.expect("it is run"),
        SagaOutcome::Completed
    );
}

#[tokio::test]
async fn a_saga_that_is_not_registered_is_not_run() {
    let builder = SagaRunner::builder(MemoryStore::new(), Backends::new([]));
    let sagas = builder.register::<Booking>().start().await.expect("the store is there");
    let error = sagas.run::<Sound>("s-1", ()).await.expect_err("it is not registered");
    assert_eq!(
        error.to_string(),
        "the runner does not run saga `sagas::refused::Sound`: register it by `SagaRunner::builder(…).register::<Sound>()`, or all by `register_all()`"
    );
}

#[tokio::test]
async fn two_sagas_of_one_name_are_refused() {
    let message = "the name of saga `booking` stands for both `sagas::refused::Namesake` and `sagas::trip::Booking`: a name is unique in a program; give one another `#[saga(name = \"…\")]`";
    let builder = SagaRunner::builder(MemoryStore::new(), Backends::new([]));
    let clash = builder.register_all().register::<Namesake>().start().await;
    assert_eq!(clash.expect_err("they clash").to_string(), message);
    let sagas = SagaRunner::new(MemoryStore::new(), Arc::new(()));
    let clash = sagas.run::<Namesake>("s-1", ()).await;
    assert_eq!(clash.expect_err("they clash").to_string(), message);
}
