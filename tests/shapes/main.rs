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

/// Checks also that everything could be made up, and the samples: all, up to those at the edges of what is taken.
#[track_caller]
fn check_samples<T: DeserializeOwned>(expected: Value, samples: &[Value]) {
    let traced = check::<T>(expected);
    assert!(traced.opaque.is_empty(), "{:?}", traced.opaque);
    let (made, at_edges) = traced.samples.split_at(samples.len().min(traced.samples.len()));
    assert_eq!(made, samples);
    for sample in at_edges {
        // Both truths are at one; inside of what is in the middle, false is not.
        assert!(sample.is_boolean() || is_at_an_edge(sample), "{sample} is one too many");
    }
}

/// All aliases of what is checked here.
const ALIASES: [&str; 2] = ["plz", "zip"];

/// Whether a sample shows what only those at the edges do, and those by an alias.
fn is_at_an_edge(sample: &Value) -> bool {
    match sample {
        Value::Null => true,
        Value::Bool(value) => *value,
        Value::Number(number) => {
            number.as_f64() == Some(0.0) || number.as_i128().is_some_and(is_an_end)
        }
        Value::String(text) => text == "two words" || text.is_empty(),
        Value::Array(values) => values.iter().any(is_at_an_edge),
        Value::Object(values) => values.iter().any(|(key, value)| {
            ["two words", ""].contains(&&**key)
                || ALIASES.contains(&&**key)
                || key.parse().is_ok_and(is_an_end)
                || is_at_an_edge(value)
        }),
    }
}

/// Whether a number is the least or the greatest of a type of integers.
fn is_an_end(number: i128) -> bool {
    let unsigned = [0, u8::MAX.into(), u16::MAX.into(), u32::MAX.into(), u64::MAX.into()];
    let greatest = [i8::MAX.into(), i16::MAX.into(), i32::MAX.into(), i64::MAX.into()];
    let least = greatest.map(|greatest: i128| -greatest - 1);
    unsigned.contains(&number) || greatest.contains(&number) || least.contains(&number)
}
