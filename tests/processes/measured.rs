//! What is measured of processes.

use std::collections::BTreeMap;
use std::time::Duration;

use annals::prelude::*;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use crate::scene::{Scene, act, parked};
use crate::script::{How, Script};
use crate::works::Works;

/// What a scene measured, by name and labels; on one thread, as the recorder is the thread's.
fn measured<F: Future<Output = ()>>(run: F) -> BTreeMap<String, DebugValue> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(run));
    let values = snapshotter.snapshot().into_vec().into_iter().map(|(key, _, _, value)| {
        let key = key.key();
        let labels: Vec<String> =
            key.labels().map(|label| format!("{} = {}", label.key(), label.value())).collect();
        (format!("{} {labels:?}", key.name()), value)
    });
    values.collect()
}

#[test]
fn processes_are_counted_by_what_became_of_them() {
    let measured = measured(async {
        let scene = Scene::new(MemoryStore::new());
        let engine = scene.started().await;
        let refused = act().sends("w", "no", How::Work(Works::Refused));
        scene.begin("a", "1", act().works("one").at_deadline(act().works("late"))).await;
        scene.begin("b", "2", refused).await;
        scene.tell("b", "3", act().ends()).await;
        scene.tell("nobody", "4", act()).await;
        scene.begin("c", "5", act().sends("x", "none", How::Claim)).await;
        scene.begin("d", "6", act().works("x").sends("w", "there", How::Make)).await;
        scene.begin("e", "7", act().sends("w", "lost", How::Lost)).await;
        parked(&engine, 1).await;
        scene.clock.advance(Duration::from_mins(11));
        parked(&engine, 1).await;
        let measured = async || crate::scene::status(&engine).await.parked == 1;
        crate::scene::until(measured).await;
        // Gauges are measured once a second.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        engine.shutdown().await.unwrap();
    });
    assert_eq!(Script::NAME, "script");
    let counted = |name: &str, labels: &[&str]| {
        let mut found = measured.iter().filter(|(key, _)| {
            key.starts_with(&format!("annals_process_{name} "))
                && key.contains("process = script")
                && labels.iter().all(|label| key.contains(label))
        });
        match (found.next(), found.next()) {
            (Some((_, DebugValue::Counter(count))), None) => *count,
            found => panic!("{name} {labels:?}: {found:?} of {measured:#?}"),
        }
    };
    assert_eq!(counted("begun_total", &[]), 5);
    assert_eq!(counted("done_total", &[]), 1);
    assert_eq!(counted("skipped_total", &[]), 1);
    assert_eq!(counted("parked_total", &[]), 1);
    // Of `a`, `c` and `d`; `b` is done, and `e` waits.
    assert_eq!(counted("deadlines_total", &["deadline = first"]), 3);
    let commands = |command: &str, outcome: &str| {
        let labels = [format!("command = {command}"), format!("outcome = {outcome}")];
        counted("commands_total", &[labels[0].as_str(), labels[1].as_str()])
    };
    assert_eq!(commands("Work", "done"), 3);
    assert_eq!(commands("Work", "rejected"), 1);
    assert_eq!(commands("Claim", "not_found"), 1);
    assert_eq!(commands("Make", "already_exists"), 1);
    assert_eq!(commands("Lost", "failed"), 1);
    let gauge = |name: &str| {
        let mut found =
            measured.iter().filter(|(key, _)| key.starts_with(&format!("annals_process_{name} ")));
        match found.next() {
            Some((_, DebugValue::Gauge(value))) => value.into_inner(),
            found => panic!("{name}: {found:?}"),
        }
    };
    assert!((gauge("parked") - 1.0).abs() < f64::EPSILON);
    assert!(gauge("oldest_unsent_seconds") > 600.0);
    assert!(gauge("lag_positions") >= 0.0);
}
