//! Events that changed shape: what was stored at any version reads as the event of today.

mod absent;
mod aliases;
mod by_hand;
mod conversions;
mod functions;
mod marks;
mod model;
mod names;
mod passes;
mod previous;
mod reads;
mod retired;
mod versions;
mod wide;

use annals::{Event, Stored};
use serde_json::Value;

/// Reads what is stored under the event's name.
fn read<E: Event>(version: u32, json: &Value) -> Result<E, String> {
    read_text(version, &json.to_string())
}

/// Reads JSON text that is stored under the event's name.
fn read_text<E: Event>(version: u32, json: &str) -> Result<E, String> {
    E::decode(Stored::new(E::NAME, version, json)).map_err(|error| error.to_string())
}

#[track_caller]
fn check<E: Event + PartialEq>(version: u32, json: Value, expected: E) {
    assert_eq!(read::<E>(version, &json), Ok(expected), "version {version}: {json}");
}

#[track_caller]
fn check_error<E: Event + PartialEq>(version: u32, json: Value, message: &str) {
    assert_eq!(read::<E>(version, &json), Err(message.to_owned()), "version {version}: {json}");
}
