//! Earlier structs, from which `From` or `TryFrom` leads up.

use annals::{Event, EventName};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{check, check_error};

/// Version 2, which reads version 1 by its own marks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "PriceSet", version = 2)]
struct PriceSetV2 {
    #[event(since = 2, renamed_from = "amount")]
    price: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "PriceSet", version = 3, previous = PriceSetV2)]
struct PriceSetV3 {
    cents: i64,
}

impl TryFrom<PriceSetV2> for PriceSetV3 {
    type Error = TooMuch;

    fn try_from(old: PriceSetV2) -> Result<Self, TooMuch> {
        let cents = (old.price * 100.0).round();
        if cents > 1e9 { Err(TooMuch(Cause)) } else { Ok(Self { cents: cents as i64 }) }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("too much")]
struct TooMuch(#[source] Cause);

#[derive(Debug, thiserror::Error)]
#[error("nobody pays that")]
struct Cause;

/// Version 4 came with this struct, version 5 by a mark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 5, previous = self::PriceSetV3)]
struct PriceSet {
    price: Price,
    #[event(since = 5, default = "EUR")]
    currency: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Price {
    cents: i64,
}

impl From<PriceSetV3> for PriceSet {
    fn from(old: PriceSetV3) -> Self {
        Self { price: Price { cents: old.cents }, currency: "DEM".into() }
    }
}

#[test]
fn a_chain_of_earlier_structs_reads_every_version() {
    let expected =
        |currency: &str| PriceSet { price: Price { cents: 1234 }, currency: currency.into() };
    check(1, json!({ "amount": 12.34 }), expected("DEM"));
    check(2, json!({ "price": 12.34 }), expected("DEM"));
    check(3, json!({ "cents": 1234 }), expected("DEM"));
    check(4, json!({ "price": { "cents": 1234 } }), expected("EUR"));
    check(5, json!({ "price": { "cents": 1234 }, "currency": "USD" }), expected("USD"));
}

#[test]
fn a_failure_on_the_way_names_where_it_happened() {
    check_error::<PriceSet>(
        1,
        json!({ "amount": 1e12 }),
        "PriceSet: stored at version 1: version 2 to 3: too much: nobody pays that",
    );
    check_error::<PriceSet>(
        2,
        json!({ "price": 1e12 }),
        "PriceSet: version 2 to 3: too much: nobody pays that",
    );
    check_error::<PriceSet>(
        3,
        json!({ "price": 1 }),
        "PriceSet: version 3: missing field `cents` at line 1 column 11",
    );
    check_error::<PriceSet>(
        1,
        json!({ "cents": 1 }),
        "PriceSet: version 1 to 2: missing field `price`, which version 1 calls `amount`",
    );
}

#[test]
fn an_earlier_struct_reads_what_it_read() {
    check(1, json!({ "amount": 12.34 }), PriceSetV2 { price: 12.34 });
    check_error::<PriceSetV2>(
        3,
        json!({ "cents": 1 }),
        "PriceSet: stored at version 3, this program knows up to version 2",
    );
}

#[test]
fn an_event_names_those_before_it() {
    let mut versions = Vec::new();
    let mut next = Some(&const { EventName::of::<PriceSet>() });
    while let Some(event) = next {
        versions.push((event.name, event.version));
        next = event.previous;
    }
    assert_eq!(versions, [("PriceSet", 5), ("PriceSet", 3), ("PriceSet", 2)]);
}

/// The oldest version that an earlier struct reads is the event's oldest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "Closed", version = 3, oldest = 2)]
struct ClosedV3 {
    #[event(since = 3)]
    why: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 4, previous = ClosedV3)]
struct Closed {
    reason: String,
}

impl From<ClosedV3> for Closed {
    fn from(old: ClosedV3) -> Self {
        Self { reason: old.why.unwrap_or_else(|| "none".into()) }
    }
}

#[test]
fn the_oldest_version_comes_from_the_earlier_struct() {
    assert_eq!(Closed::OLDEST, 2);
    check(2, json!({}), Closed { reason: "none".into() });
    check_error::<Closed>(
        1,
        json!({}),
        "Closed: stored at version 1, this program reads from version 2",
    );
}

/// Deprecated types warn where they are named by hand, and nowhere else: the gate denies warnings.
mod deprecated {
    use super::{Deserialize, Event, Serialize, check, json};

    #[deprecated]
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(name = "Faded")]
    pub(super) struct FadedV1 {}

    #[deprecated]
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(version = 4, oldest = 1, readable_from = 3, previous = FadedV1, upcast(from = 2))]
    pub(super) struct Faded {
        #[event(since = 4)]
        #[deprecated]
        colour: Option<u8>,
    }

    #[expect(deprecated, reason = "that is what is tested")]
    impl From<FadedV1> for Faded {
        fn from(_: FadedV1) -> Self {
            Self { colour: None }
        }
    }

    #[test]
    #[expect(deprecated, reason = "that is what is tested")]
    fn deprecated_events_read() {
        for version in 1..=4 {
            check(version, json!({}), Faded { colour: None });
        }
    }
}
