//! Shapes: what is found out about a type from its `Deserialize` alone.

mod compounds;
mod edges;
mod enums;
mod fingerprints;
mod opaque;

use annals::shape::{Shape, Traced};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Checks the shape of a type as it is written to a file, that it reads back, and that each sample is read.
#[track_caller]
fn check<T: DeserializeOwned>(expected: Value) -> Traced {
    let traced = Traced::of::<T>();
    let written = serde_json::to_value(&traced.shape).unwrap();
    assert_eq!(written, expected, "{written:#}");
    assert_eq!(serde_json::from_value::<Shape>(written).unwrap(), traced.shape);
    assert_eq!(Shape::of::<T>(), traced.shape, "the same each time");
    for sample in &traced.samples {
        assert!(serde_json::from_value::<T>(sample.clone()).is_ok(), "{sample}");
    }
    traced
}

/// Checks also that everything could be made up, and the samples.
#[track_caller]
fn check_samples<T: DeserializeOwned>(expected: Value, samples: &[Value]) {
    let traced = check::<T>(expected);
    assert!(traced.opaque.is_empty(), "{:?}", traced.opaque);
    assert_eq!(traced.samples, samples);
}
