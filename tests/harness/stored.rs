//! Events as they are stored: what they read as, files of them, and aggregates that begin with them.

use annals::prelude::*;
use annals_testing::{given_stored, stored, stored_in};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::failure::failure_of;

#[derive(Debug, Clone, Serialize, Deserialize, AggregateId)]
struct BasketId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2, alias = "BasketFilled")]
struct ItemAdded {
    item: String,
    #[event(since = 2, default = 1)]
    count: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct BasketPaid {
    items: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Pay {
    #[command(id)]
    basket: BasketId,
}

#[derive(Debug, PartialEq, Aggregate)]
#[aggregate(id = BasketId, events(ItemAdded, BasketPaid), ignore("BasketSeen"))]
struct Basket {
    items: u32,
}

#[handlers]
impl Basket {
    #[apply(upsert)]
    fn added(basket: Option<Self>, event: &ItemAdded) -> Self {
        Self { items: basket.map_or(0, |basket| basket.items) + event.count }
    }

    #[handle]
    fn pay(&self, _: Pay) -> BasketPaid {
        BasketPaid { items: self.items }
    }

    #[apply]
    fn paid(&mut self, _: &BasketPaid) {}
}

fn added(item: &str, count: u32) -> ItemAdded {
    ItemAdded { item: item.into(), count }
}

fn pay() -> Pay {
    Pay { basket: "b".into() }
}

#[test]
fn every_version_and_name_reads() {
    stored("ItemAdded", 1, json!({ "item": "tea" })).reads_as(added("tea", 1));
    stored("BasketFilled", 2, json!({ "item": "tea", "count": 2 })).reads_as(added("tea", 2));
    stored("ItemAdded", 3, json!({ "item": "tea", "count": 2, "note": "?" }))
        .readable_from(2)
        .reads_as(added("tea", 2));
    stored("ItemAdded", 3, json!({ "item": "tea", "count": 2 })).fails_to_read_as::<ItemAdded>(
        "ItemAdded: stored at version 3, this program knows up to version 2",
    );
}

#[track_caller]
fn check(test: impl FnOnce(), message: &str) {
    let failure = failure_of(test);
    assert_eq!(failure.message, message);
    assert_eq!(failure.file, file!(), "the test's own line is named");
}

#[test]
fn what_reads_as_another_event_is_shown_field_by_field() {
    check(
        || stored("ItemAdded", 1, json!({ "item": "tea" })).reads_as(added("tea", 2)),
        "`ItemAdded` version 1 {\"item\":\"tea\"} reads as another event

  - expected   + read
    ItemAdded {
        item: \"tea\",
  -     count: 2,
  +     count: 1,
    }
",
    );
}

#[test]
fn what_cannot_be_read_says_why() {
    check(
        || stored("ItemAdded", 2, json!({})).reads_as(added("tea", 1)),
        "`ItemAdded` version 2 {} cannot be read: ItemAdded: missing field `item` at line 1 column 2",
    );
    check(
        || stored("ItemRemoved", 2, json!({})).reads_as(added("tea", 1)),
        "`ItemRemoved` version 2 {} is not stored as `ItemAdded`, nor as one of its aliases [\"BasketFilled\"]",
    );
}

#[test]
fn a_failure_that_is_none_or_another_is_shown() {
    check(
        || stored("BasketPaid", 1, json!({ "items": 1 })).fails_to_read_as::<BasketPaid>("no"),
        "`BasketPaid` version 1 {\"items\":1} can be read\n\n  BasketPaid {\n    items: 1,\n}",
    );
    check(
        || stored("BasketPaid", 9, json!(null)).fails_to_read_as::<BasketPaid>("no"),
        "`BasketPaid` version 9 null fails with another message

  - expected   + found
  - no
  + BasketPaid: stored at version 9, this program knows up to version 1
",
    );
    // All of the message, not a part of it.
    let part = || stored("BasketPaid", 9, json!(null)).fails_to_read_as::<BasketPaid>("BasketPaid");
    assert!(failure_of(part).message.contains("fails with another message"));
}

#[test]
fn files_read() {
    stored_in("golden/one_event.json").reads_as([added("tea", 3)]);
    stored_in("golden/one_event.json").all_read_as::<ItemAdded>();
    stored_in("golden/shop_stream.json").all_read_by::<Basket>();
}

#[test]
fn of_a_file_the_event_that_fails_is_named() {
    check(
        || stored_in("golden/one_event.json").reads_as([added("tea", 3), added("tea", 3)]),
        "`golden/one_event.json` has 1 events, expected are 2",
    );
    check(
        || stored_in("golden/shop_stream.json").all_read_as::<ItemAdded>(),
        "event 3 of `golden/shop_stream.json`: `BasketSeen` version 1 null is not stored as `ItemAdded`, nor as one of \
         its aliases [\"BasketFilled\"]",
    );
    check(
        || stored_in("golden/shop_stream.json").all_read_by::<crate::bank::Account>(),
        "event 1 of `golden/shop_stream.json`: `BasketFilled` version 1 {\"item\":\"tea\"} is not an event of \
         `harness::bank::Account`",
    );
    let missing = failure_of(|| stored_in("golden/nothing.json").all_read_as::<ItemAdded>());
    assert!(missing.message.starts_with("read stored events from `golden/nothing.json` in "));
    let broken = failure_of(|| stored_in("Cargo.toml").all_read_as::<ItemAdded>());
    assert!(broken.message.starts_with("read stored events from `Cargo.toml`: "));
}

#[test]
fn an_aggregate_begins_with_what_is_stored() {
    given_stored::<Basket>([
        stored("BasketFilled", 1, json!({ "item": "tea" })),
        stored("BasketSeen", 7, json!({ "by": "nobody" })),
        stored("ItemAdded", 2, json!({ "item": "milk", "count": 2 })),
    ])
    .and_given(added("tea", 4))
    .and_given_stored([stored("ItemAdded", 1, json!({ "item": "milk" }))])
    .when(pay())
    .then(BasketPaid { items: 8 })
    .then_state(|basket| assert_eq!(basket.items, 8));

    given_stored::<Basket>(stored_in("golden/shop_stream.json"))
        .when(pay())
        .then(BasketPaid { items: 6 });
}

#[test]
fn what_an_aggregate_cannot_begin_with_is_named() {
    let begin = |name: &str, data| given_stored::<Basket>([stored(name, 1, data)]).when(pay());
    check(
        || drop(begin("ItemAdded", json!({}))),
        "
  stored `ItemAdded` version 1 {}

stored event `ItemAdded` version 1 {} cannot be read: ItemAdded: version 1 to 2: missing field `item`",
    );
    check(
        || drop(begin("ItemLost", json!(1))),
        "
  stored `ItemLost` version 1 1

stored event `ItemLost` version 1 1 is not an event of `harness::stored::Basket`: list it in `events(…)`, or pass it over \
         by `ignore(…)`",
    );
    check(
        || drop(begin("BasketPaid", json!({ "items": 1 }))),
        "
  stored `BasketPaid` version 1 {\"items\":1}

event BasketPaid {\"items\":1} cannot be applied: it needs the aggregate, which does not exist",
    );
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct GrainsCounted {
    grains: u128,
}

#[test]
fn no_digit_is_lost() {
    let json = r#"{"grains":340282366920938463463374607431768211455}"#;
    let sample: annals_testing::schema::Sample = json.parse().unwrap();
    stored("GrainsCounted", 1, sample).reads_as(GrainsCounted { grains: u128::MAX });

    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("grains.json");
    let event = format!(r#"{{"event_type":"GrainsCounted","schema_version":1,"data":{json}}}"#);
    std::fs::write(&path, event).unwrap();
    stored_in(path).reads_as([GrainsCounted { grains: u128::MAX }]);
}
