//! Any stored JSON of any version reads as the history of its fields says.
//!
//! The model folds the values of the fields through the versions, one rule at a time; it knows nothing of JSON.

use annals::{Event, Stored, UpcastError};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The event of today.
///
/// | Version | What changed |
/// |---|---|
/// | 2 | `currency` was added |
/// | 3 | `addr` became `address`, `coupon` was removed |
/// | 4 | a function halved `amount`, then `amount` became a text |
/// | 5 | `note` was added, an `Option` |
/// | 6 | `address` became `ship-to`, and `coupon` came back as a number |
/// | 7 | nothing |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(
    name = "ModelPlaced",
    version = 7,
    removed(since = 3, "coupon"),
    upcast(from = 3, with = halve),
    upcast(from = 6)
)]
#[serde(rename_all = "kebab-case")]
struct Placed {
    order: u32,
    #[event(since = 2, default = "EUR")]
    currency: String,
    #[event(since = 3, renamed_from = "addr")]
    #[event(since = 6, renamed_from = "address")]
    ship_to: String,
    #[event(since = 4, convert_with = text)]
    amount: String,
    #[event(since = 5)]
    note: Option<String>,
    #[event(since = 6, default = 100)]
    coupon: u64,
}

fn halve(mut old: Value) -> Result<Value, UpcastError> {
    let amount = old["amount"].as_i64().ok_or_else(|| UpcastError::new("no amount"))?;
    old["amount"] = (amount / 2).into();
    Ok(old)
}

fn text(amount: i64) -> String {
    amount.to_string()
}

/// What a release of a version knew when it stored the event.
#[derive(Debug, Clone)]
struct Written {
    version: u32,
    order: u32,
    currency: String,
    address: String,
    amount: i64,
    note: Option<Option<String>>,
    old_coupon: Option<String>,
    coupon: u64,
    unknown: bool,
}

impl Written {
    /// As the release wrote it.
    fn json(&self) -> Value {
        let version = self.version;
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| json.insert(name.to_owned(), value);
        put("order", json!(self.order));
        if version >= 2 {
            put("currency", json!(self.currency));
        }
        put(
            ["addr", "address", "ship-to"][usize::from(version >= 3) + usize::from(version >= 6)],
            json!(self.address),
        );
        put(
            "amount",
            if version >= 4 { json!(self.amount.to_string()) } else { json!(self.amount) },
        );
        if version >= 5
            && let Some(note) = &self.note
        {
            put("note", json!(note));
        }
        if version <= 2
            && let Some(coupon) = &self.old_coupon
        {
            put("coupon", json!(coupon));
        }
        if version >= 6 {
            put("coupon", json!(self.coupon));
        }
        if self.unknown {
            put("unknown to all", json!({ "note": 1 }));
        }
        Value::Object(json)
    }

    /// As it reads today.
    fn today(&self) -> Placed {
        let amount = if self.version <= 3 { self.amount / 2 } else { self.amount };
        Placed {
            order: self.order,
            currency: if self.version >= 2 { self.currency.clone() } else { "EUR".into() },
            ship_to: self.address.clone(),
            amount: amount.to_string(),
            note: if self.version >= 5 { self.note.clone().flatten() } else { None },
            coupon: if self.version >= 6 { self.coupon } else { 100 },
        }
    }
}

fn written() -> impl Strategy<Value = Written> {
    let texts =
        (".*", ".*", proptest::option::of(".*"), proptest::option::of(proptest::option::of(".*")));
    let numbers = (1..=7_u32, any::<u32>(), any::<i64>(), any::<u64>(), any::<bool>());
    (texts, numbers).prop_map(|(texts, numbers)| {
        let (currency, address, old_coupon, note) = texts;
        let (version, order, amount, coupon, unknown) = numbers;
        Written { version, order, currency, address, amount, note, old_coupon, coupon, unknown }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_version_reads_as_the_model_says(written in written()) {
        let json = written.json().to_string();
        let read = Placed::decode(Stored::new("ModelPlaced", written.version, &json));
        prop_assert_eq!(read, Ok(written.today()), "{}", json);
    }

    #[test]
    fn what_is_written_today_reads_back_today_and_in_the_next_release(written in written()) {
        let placed = written.today();
        let json = placed.encode().unwrap();
        prop_assert_eq!(Placed::decode(Stored::new("ModelPlaced", 7, &json)), Ok(placed.clone()));
        let newer = Stored::new("ModelPlaced", 8, &json).with_readable_from(7);
        prop_assert_eq!(Placed::decode(newer), Ok(placed));
    }

    /// Whatever is stored, reading it is an answer and no panic; an error names the event.
    #[test]
    fn any_text_is_read_or_refused(version in 0..10_u32, readable_from in 0..10_u32, json in stored_text()) {
        let stored = Stored::new("ModelPlaced", version, &json).with_readable_from(readable_from);
        if let Err(error) = Placed::decode(stored) {
            prop_assert!(error.to_string().starts_with("ModelPlaced: "), "{}", error);
        }
    }
}

fn stored_text() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just(json!(null)),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        Just(json!([1])),
        Just(json!({ "a": 1 })),
    ];
    let name = proptest::sample::select(vec![
        "order", "currency", "addr", "address", "ship-to", "amount", "note", "coupon", "ship_to",
    ]);
    prop_oneof![
        1 => ".*",
        4 => proptest::collection::hash_map(name, value, 0..9)
            .prop_map(|fields| json!(fields).to_string()),
    ]
}
