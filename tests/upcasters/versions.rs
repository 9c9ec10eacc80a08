//! Versions that no step leads from: newer ones, and those before the oldest.

use annals::{Event, Stored};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{check, check_error};

/// As the release before knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "Placed", version = 2)]
struct PlacedBefore {
    order: String,
    #[event(since = 2)]
    coupon: Option<String>,
}

/// As this release knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 4, readable_from = 2, upcast(from = 1, with = none))]
struct Placed {
    order: String,
    coupon: Option<String>,
    #[event(since = 3, default = "EUR")]
    currency: String,
    #[event(since = 4)]
    note: Option<String>,
}

#[expect(clippy::unnecessary_wraps, reason = "a step may fail")]
fn none(old: serde_json::Value) -> Result<serde_json::Value, annals::UpcastError> {
    Ok(old)
}

#[test]
fn the_release_before_reads_what_only_grew() {
    let placed = Placed {
        order: "o-1".into(),
        coupon: Some("X".into()),
        currency: "USD".into(),
        note: Some("n".into()),
    };
    let json = placed.encode().unwrap();
    let stored =
        Stored::new("Placed", Placed::VERSION, &json).with_readable_from(Placed::READABLE_FROM);
    let read = PlacedBefore::decode(stored).unwrap();
    assert_eq!(read, PlacedBefore { order: "o-1".into(), coupon: Some("X".into()) });
}

#[test]
fn what_does_not_say_that_it_only_grew_is_refused() {
    let newer = Stored::new("Placed", 4, r#"{"order":"o-1"}"#);
    for readable_from in [3, 4] {
        let error = PlacedBefore::decode(newer.with_readable_from(readable_from)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Placed: stored at version 4, this program knows up to version 2"
        );
    }
    for readable_from in [1, 2] {
        assert!(PlacedBefore::decode(newer.with_readable_from(readable_from)).is_ok());
    }
}

#[test]
fn a_newer_version_that_cannot_be_read_after_all_names_both_versions() {
    let newer = Stored::new("Placed", 4, r#"{"orders":[]}"#).with_readable_from(2);
    let error = PlacedBefore::decode(newer).unwrap_err().to_string();
    assert_eq!(error, "Placed: version 4 to 2: missing field `order` at line 1 column 13");
}

#[test]
fn by_default_an_event_is_readable_from_its_own_version() {
    assert_eq!((PlacedBefore::READABLE_FROM, Placed::READABLE_FROM), (2, 2));
    assert_eq!((PlacedBefore::DIRECT_FROM, Placed::DIRECT_FROM), (1, 3));
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 4, oldest = 2, upcast(from = 2))]
struct Late {
    #[event(since = 4)]
    x: Option<u8>,
}

#[test]
fn before_the_oldest_version_nothing_is_read() {
    for version in 2..=4 {
        check(version, json!({ "x": 1 }), Late { x: Some(1) });
    }
    check(2, json!({}), Late { x: None });
    for version in [0, 1] {
        let message =
            format!("Late: stored at version {version}, this program reads from version 2");
        check_error::<Late>(version, json!({}), &message);
    }
    check_error::<Late>(
        u32::MAX,
        json!({}),
        "Late: stored at version 4294967295, this program knows up to version 4",
    );
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2, alias = "Sent", alias = "Posted")]
struct Shipped {
    #[event(since = 2, default = 1)]
    parcels: u32,
}

#[test]
fn an_alias_takes_the_same_way_and_names_itself() {
    for name in ["Shipped", "Sent", "Posted"] {
        let read = Shipped::decode(Stored::new(name, 1, "{}")).unwrap();
        assert_eq!(read, Shipped { parcels: 1 });
    }
    let error = Shipped::decode(Stored::new("Sent", 3, "{}")).unwrap_err();
    assert_eq!(error.to_string(), "Sent: stored at version 3, this program knows up to version 2");
}
