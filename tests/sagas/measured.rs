//! What is measured of sagas.

use std::collections::BTreeMap;
use std::time::Duration;

use annals::prelude::*;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use crate::codecs::{Mood, Moody};
use crate::scene::{PATIENCE, started};
use crate::trip::{Backends, Booking, How, trip};

/// What was measured, by name and labels; on one thread, as the recorder is the thread's.
fn measured<F: Future<Output = ()>>(run: F) -> BTreeMap<String, DebugValue> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(run));
    let values = snapshotter.snapshot().into_vec().into_iter().map(|(key, _, _, value)| {
        let key = key.key();
        let labels: Vec<&str> = key.labels().map(metrics::Label::value).collect();
        (format!("{} {}", key.name(), labels.join(" ")), value)
    });
    values.collect()
}

#[test]
fn sagas_are_counted_by_what_became_of_them_and_their_steps_timed() {
    let measured = measured(async {
        let store = MemoryStore::new();
        let backends = Backends::new([]);
        let sagas = started(&store, &backends).await;
        for id in ["t-1", "t-2"] {
            sagas.run::<Booking>(id, trip()).await.unwrap();
        }
        // Answered from the log, it is not counted once more.
        sagas.run::<Booking>("t-2", trip()).await.unwrap();
        backends.set("hotel", How::Fails(3));
        sagas.run::<Booking>("t-3", trip()).await.unwrap();
        backends.set("mail", How::Fails(1));
        backends.set("undo hotel", How::Fails(u32::MAX));
        sagas.run::<Booking>("t-4", trip()).await.unwrap();
        backends.mend("undo hotel");
        sagas.retry_parked::<Booking>("t-4").await.unwrap();
        sagas.shutdown().await;
    });
    let counted = |name: &str| match &measured[&format!("annals_saga_{name} booking")] {
        DebugValue::Counter(count) => *count,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(counted("begun_total"), 4);
    assert_eq!(counted("completed_total"), 2);
    assert_eq!(counted("undone_total"), 2);
    assert_eq!(counted("parked_total"), 1);
    let timed =
        |labels: &str| match &measured[&format!("annals_saga_step_seconds booking {labels}")] {
            DebugValue::Histogram(times) => times.len(),
            other => panic!("{labels}: {other:?}"),
        };
    assert_eq!(timed("flight do done"), 4);
    assert_eq!(timed("hotel do done"), 3);
    assert_eq!(timed("hotel do failed"), 3);
    assert_eq!(timed("flight undo done"), 2);
    assert_eq!(timed("hotel undo failed"), 6);
    assert_eq!(timed("hotel undo done"), 1);
}

#[test]
fn those_that_wait_for_a_person_are_counted_as_long_as_they_do() {
    let waiting = |is_mended: bool| {
        let measured = measured(async {
            let store = MemoryStore::new();
            let backends = Backends::new([("mail", How::Fails(1)), ("undo hotel", How::Fails(6))]);
            let sagas = started(&store, &backends).await;
            sagas.run::<Booking>("t-1", trip()).await.unwrap();
            if is_mended {
                sagas.retry_parked::<Booking>("t-1").await.unwrap();
            }
            // Another runner finds in the store how it is.
            started(&store, &backends).await.shutdown().await;
            sagas.shutdown().await;
        });
        match &measured["annals_saga_parked booking"] {
            DebugValue::Gauge(count) => count.into_inner(),
            other => panic!("{other:?}"),
        }
    };
    assert!((waiting(false) - 1.0).abs() < f64::EPSILON);
    assert!(waiting(true).abs() < f64::EPSILON);
}

fn gauge(measured: &BTreeMap<String, DebugValue>, name: &str) -> f64 {
    match &measured[&format!("annals_saga_{name} booking")] {
        DebugValue::Gauge(value) => value.into_inner(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn those_with_which_nobody_goes_on_are_measured() {
    let left = |is_well: bool| {
        measured(async {
            let codec = Moody::default();
            let store = MemoryStore::builder().codec(codec.clone()).build();
            let backends = Backends::new([("flight", How::Waits)]);
            let sagas = started(&store, &backends).await;
            sagas.begin::<Booking>("t-1", trip()).await.unwrap();
            backends.arrived.notified().await;
            // That the step is done is not logged.
            codec.is(Mood::PanicsAtDone);
            backends.let_go.notify_one();
            sagas.settle(PATIENCE).await.unwrap();
            sagas.shutdown().await;
            backends.mend("flight");
            if is_well {
                codec.is_well();
                let sagas = started(&store, &backends).await;
                sagas.outcome::<Booking>("t-1").await.unwrap();
                sagas.shutdown().await;
            } else {
                codec.is(Mood::Seals);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            // Another runner finds in the store how it is.
            started(&store, &backends).await.shutdown().await;
        })
    };
    let measured = left(false);
    assert!((gauge(&measured, "stuck") - 1.0).abs() < f64::EPSILON);
    assert!((0.02..10.0).contains(&gauge(&measured, "unfinished_oldest_seconds")), "{measured:?}");
    let measured = left(true);
    for name in ["stuck", "unfinished_oldest_seconds"] {
        assert!(gauge(&measured, name).abs() < f64::EPSILON, "{name}");
    }
}
