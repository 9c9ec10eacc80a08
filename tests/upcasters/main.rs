//! Events that changed shape: what was stored at any version reads as the event of today.

mod by_hand;
mod functions;
mod marks;
mod model;
mod names;
mod previous;
mod reads;
mod retired;
mod versions;

use annals::{Event, Stored};
use serde_json::Value;

/// Reads what is stored under the event's name.
fn read<E: Event>(version: u32, json: &Value) -> Result<E, String> {
    let text = json.to_string();
    E::decode(Stored::new(E::NAME, version, &text)).map_err(|error| error.to_string())
}

#[track_caller]
fn check<E: Event + PartialEq>(version: u32, json: Value, expected: E) {
    assert_eq!(read::<E>(version, &json), Ok(expected), "version {version}: {json}");
}

#[track_caller]
fn check_error<E: Event + PartialEq>(version: u32, json: Value, message: &str) {
    assert_eq!(read::<E>(version, &json), Err(message.to_owned()), "version {version}: {json}");
}
