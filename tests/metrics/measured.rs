//! What was measured while something ran.

use std::collections::BTreeMap;

use metrics_util::debugging::{DebugValue, DebuggingRecorder};

/// What was measured, by name and labels: `name{label=value}`.
pub struct Measured(pub BTreeMap<String, DebugValue>);

/// Runs something on one thread, and gives back what it measured.
pub fn measured<F: Future<Output = ()>>(run: F) -> Measured {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(run));
    let values = snapshotter.snapshot().into_vec().into_iter().map(|(key, _, _, value)| {
        let key = key.key();
        let mut labels: Vec<_> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        labels.sort();
        (format!("{}{{{}}}", key.name(), labels.join(",")), value)
    });
    Measured(values.collect())
}

impl Measured {
    fn value(&self, key: &str) -> &DebugValue {
        self.0.get(key).unwrap_or_else(|| panic!("no `{key}` in {:#?}", self.0.keys()))
    }

    pub fn counter(&self, key: &str) -> u64 {
        match self.value(key) {
            DebugValue::Counter(count) => *count,
            other => panic!("`{key}` is no counter: {other:?}"),
        }
    }

    pub fn gauge(&self, key: &str) -> f64 {
        match self.value(key) {
            DebugValue::Gauge(value) => value.into_inner(),
            other => panic!("`{key}` is no gauge: {other:?}"),
        }
    }

    pub fn histogram(&self, key: &str) -> Vec<f64> {
        match self.value(key) {
            DebugValue::Histogram(values) => {
                values.iter().map(|value| value.into_inner()).collect()
            }
            other => panic!("`{key}` is no histogram: {other:?}"),
        }
    }
}
