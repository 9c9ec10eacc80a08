//! What probes are told of sagas.

use std::time::Duration;

use annals::health::{HealthCheck, PartKind};
use annals::prelude::*;
use annals::projection::{Level, Thresholds};

use crate::on_each_store;
use crate::scene::{Mortal, Store, runner, started, until};
use crate::trip::{Backends, Booking, How, trip};

async fn what_waits_for_a_person_is_told_by_the_level(store: impl Store) {
    let backends = Backends::new([("mail", How::Fails(1)), ("undo hotel", How::Fails(6))]);
    let sagas = started(&store, &backends).await;
    let check = HealthCheck::new().sagas(&sagas);
    let thresholds = Thresholds { warning: Duration::ZERO, critical: Duration::from_hours(1) };
    let well = check.ask().await;
    assert_eq!((well.live, well.ready, well.level), (true, true, Level::Normal), "{well:?}");
    let [part] = &well.parts[..] else { panic!("{well:?}") };
    assert_eq!((part.kind, &*part.name, part.parked), (PartKind::Saga, "booking", 0));

    sagas.run::<Booking>("t-1", trip()).await.expect("it is run");
    let now = Thresholds { warning: Duration::from_nanos(1), ..thresholds };
    let parked = check.clone().thresholds(now).ask().await;
    assert_eq!((parked.parts[0].parked, parked.parts[0].seconds_behind > 0.0), (1, true));
    // Whoever answers requests does so all the same.
    assert_eq!(
        (parked.live, parked.ready, parked.level),
        (true, true, Level::Warning),
        "{parked:?}"
    );
    assert!(parked.to_json().contains(r#""kind":"saga","name":"booking""#), "{parked:?}");

    sagas.retry_parked::<Booking>("t-1").await.expect("it is parked");
    let mended = check.ask().await;
    assert_eq!((mended.level, mended.parts[0].parked), (Level::Normal, 0), "{mended:?}");
    sagas.shutdown().await;
    let over = check.ask().await;
    assert_eq!((over.live, over.live_code()), (false, 503), "{over:?}");
}

async fn what_nobody_runs_is_told_by_the_level(store: impl Store) {
    let hangs = Backends::new([("flight", How::Hangs)]);
    let mortal = Mortal::start(runner(&store, &hangs)).await;
    // One that takes up nothing by itself.
    let sagas = SagaRunner::new(store.clone(), Backends::new([]));
    let now = Thresholds { warning: Duration::from_nanos(1), critical: Duration::from_hours(1) };
    let check = HealthCheck::new().sagas(&sagas).thresholds(now);
    let begun = mortal.sagas.clone();
    let begun = mortal.within(async move { begun.begin::<Booking>("t-1", trip()).await });
    begun.await.expect("it begins");
    let booking = async || {
        let health = check.ask().await;
        assert!(health.live && health.ready, "{health:?}");
        health.parts.into_iter().find(|part| part.name == "booking").expect("it is linked")
    };
    let runs = booking().await;
    assert_eq!((runs.level, runs.last_error), (Level::Normal, None), "its runner lives");
    mortal.die();
    until(async || booking().await.level == Level::Warning).await;
    let left = booking().await;
    assert!(left.seconds_behind > 0.0 && left.parked == 0, "{left:?}");
    assert_eq!(left.last_error.as_deref(), Some("nobody runs 1 that have not ended"));
    until(async || sagas.resume_all().await.expect("the store is there") == 1).await;
    sagas.outcome::<Booking>("t-1").await.expect("it goes on");
    let ended = booking().await;
    assert_eq!((ended.level, ended.last_error), (Level::Normal, None));
}

on_each_store!(what_waits_for_a_person_is_told_by_the_level, what_nobody_runs_is_told_by_the_level,);
