//! The harness for projections: what it expects, and what it finds by itself.

use std::sync::atomic::{AtomicI64, Ordering};

use annals::prelude::*;
use annals_testing::{given_history, recorded};
use serde::{Deserialize, Serialize};

use crate::models::{Item, ItemId, ItemListed, ItemRow, OwnerRenamed, PriceChanged, TagCount};

fn listed(owner: &str) -> ItemListed {
    ItemListed { owner: owner.into(), price: 1, tags: vec!["new".into()] }
}

fn row(owner: &str, price: i64, changes: u32) -> ItemRow {
    ItemRow {
        item: "a".into(),
        owner: owner.into(),
        price,
        buyer: None,
        tags: vec!["new".into()],
        changes,
    }
}

#[test]
fn rows_are_expected_after_each_event() {
    given_history([recorded::<Item>("a", listed("Ada"))])
        .project::<ItemRow>()
        .then_row("a", row("Ada", 1, 0))
        .when(recorded::<Item>("a", PriceChanged { price: 5 }))
        .then_row("a", row("Ada", 5, 1))
        .when([
            recorded::<Item>("b", listed("Bob")),
            recorded::<Item>("b", OwnerRenamed { from: "Ada".into(), to: "Bob".into() }),
        ])
        .then_row("a", row("Bob", 5, 2))
        .then_rows(|rows| assert_eq!(rows.len(), 2))
        .then_no_row("c");
}

#[test]
fn rows_of_several_keys_are_expected() {
    given_history([recorded::<Item>("a", listed("Ada")), recorded::<Item>("b", listed("Bob"))])
        .project::<TagCount>()
        .then_row("new", TagCount { tag: "new".into(), items: 2 });
}

#[test]
fn what_fails_is_expected_by_its_row() {
    given_history([
        recorded::<Item>("a", listed("Ada")),
        recorded::<Item>("a", PriceChanged { price: -1 }),
    ])
    .project::<ItemRow>()
    .then_parked("a", "-1 is below zero")
    .then_no_row("b");
}

#[test]
#[should_panic(
    expected = "event PriceChanged (number 2) failed for row `a`: a price of -1 is below zero"
)]
fn what_fails_unexpectedly_fails_the_test() {
    given_history([
        recorded::<Item>("a", listed("Ada")),
        recorded::<Item>("a", PriceChanged { price: -1 }),
    ])
    .project::<ItemRow>()
    .then_row("a", row("Ada", 1, 0));
}

#[test]
#[should_panic(expected = "row `a` of `items` differs")]
fn a_row_that_says_something_else_fails_the_test() {
    given_history([recorded::<Item>("a", listed("Ada"))])
        .project::<ItemRow>()
        .then_row("a", row("Bob", 1, 0));
}

#[test]
#[should_panic(expected = "there is no row `b` of `items`; there are `a`")]
fn a_row_that_is_not_there_fails_the_test() {
    given_history([recorded::<Item>("a", listed("Ada"))])
        .project::<ItemRow>()
        .then_row("b", row("Ada", 1, 0));
}

static SEEN: AtomicI64 = AtomicI64::new(0);

/// A row that says how often a step was run, which nothing recorded tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "impure_rows")]
pub struct Impure {
    #[read_model(key)]
    pub owner: String,
    pub seen: i64,
}

#[projection]
impl Impure {
    #[on(upsert, key = owner)]
    fn listed(_: Option<Self>, event: &ItemListed) -> Self {
        Self { owner: event.owner.clone(), seen: SEEN.fetch_add(1, Ordering::SeqCst) }
    }
}

#[test]
#[should_panic(expected = "the rows of `impure_rows` depend on how events are delivered")]
fn a_step_that_reads_more_than_its_row_and_event_fails_the_test() {
    given_history([recorded::<Item>("a", listed("Ada"))]).project::<Impure>().then_rows(|_| ());
}

/// An event whose first version had no currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "ItemValued", version = 2)]
pub struct ItemValued {
    pub cents: i64,
    #[event(since = 2, default = "EUR")]
    pub currency: String,
}

#[derive(Debug, Clone, Aggregate)]
#[aggregate(id = ItemId, category = "valued_item", events(ItemValued))]
pub struct Valued;

#[handlers]
impl Valued {
    #[apply(upsert)]
    fn was_valued(_: Option<Self>, _: &ItemValued) -> Self {
        Self
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "item_values")]
pub struct ItemValue {
    #[read_model(key)]
    pub item: ItemId,
    pub cents: i64,
    pub currency: String,
}

#[projection]
impl ItemValue {
    #[on(upsert)]
    fn valued(_: Option<Self>, event: &ItemValued, cx: &EventContext<Self>) -> Self {
        let ItemValued { cents, currency } = event.clone();
        Self { item: cx.key().clone(), cents, currency }
    }
}

#[test]
fn events_of_earlier_versions_are_led_up() {
    let now = ItemValued { cents: 7, currency: "USD".into() };
    let mut old = recorded::<Valued>("a", now.clone());
    old.schema_version = 1;
    old.readable_from = 1;
    old.data = annals::Payload::new(r#"{"cents":5}"#);
    let value =
        |cents, currency: &str| ItemValue { item: "a".into(), cents, currency: currency.into() };
    given_history([old])
        .project::<ItemValue>()
        .then_row("a", value(5, "EUR"))
        .when(recorded::<Valued>("a", now))
        .then_row("a", value(7, "USD"));
}
