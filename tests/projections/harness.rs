//! The harness: on a store, and without one.

use annals::prelude::*;
use annals_testing::{given_history, recorded};
use serde::{Deserialize, Serialize};

use crate::inline::InlinePrice;
use crate::models::{Item, ItemId, ItemListed, ItemRemoved, ItemRow, PriceChanged};
use crate::on_each_store;
use crate::refusals::Coded;
use crate::stores::Store;

on_each_store!(rows_are_tested_on_a_store, rows_that_change_with_the_append_are_tested_on_a_store);

fn listed(tags: &[&str], price: i64) -> ItemListed {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    ItemListed { owner: "Ada".into(), price, tags }
}

async fn rows_are_tested_on_a_store(store: impl Store) {
    let row = |price, changes| ItemRow {
        item: "a".into(),
        owner: "Ada".into(),
        price,
        buyer: None,
        tags: Vec::new(),
        changes,
    };
    let given = given_history([recorded::<Item>("a", listed(&[], 1))]);
    let test = given.project_on::<ItemRow, _>(&store).await.then_row("a", row(1, 0)).await;
    let test = test.when(recorded::<Item>("a", PriceChanged { price: 2 })).await;
    let test = test.then_row("a", row(2, 1)).await.then_no_row("b").await;
    let test = test.when(recorded::<Item>("a", ItemRemoved)).await;
    test.then_rows(|rows| assert_eq!(rows, [])).await;
}

async fn rows_that_change_with_the_append_are_tested_on_a_store(store: impl Store) {
    let row = |price, changes| InlinePrice { item: "a".into(), price, changes };
    let given = given_history([recorded::<Item>("a", listed(&[], 1))]);
    let test = given.project_on::<InlinePrice, _>(&store).await.then_row("a", row(1, 0)).await;
    let test = test.when(recorded::<Item>("a", PriceChanged { price: 2 })).await;
    test.then_row("a", row(2, 1)).await;
}

/// A row that says when, which an append does not know yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "instants")]
pub struct Listed {
    #[read_model(key)]
    pub item: ItemId,
    pub at: Timestamp,
}

#[projection(inline)]
impl Listed {
    #[on(upsert)]
    fn is_listed(_: Option<Self>, _: &ItemListed, cx: &EventContext<Self>) -> Self {
        Self { item: cx.key().clone(), at: cx.recorded_at() }
    }
}

#[test]
fn a_step_that_an_append_would_refuse_is_refused() {
    given_history([recorded::<Item>("a", listed(&[], 1))])
        .project::<Listed>()
        .then_parked("a", "asks for the event's instant or position");
}

/// A refused row of several: whatever is lost on the way, the others are written once.
#[test]
fn a_refused_row_is_the_same_however_it_is_delivered() {
    given_history([
        recorded::<Item>("i", listed(&["z"], 7)),
        recorded::<Item>("i", listed(&["a", "b", "c"], 7)),
        recorded::<Item>("j", listed(&["a", "d"], 8)),
    ])
    .project::<Coded>()
    .then_row("a", Coded { tag: "a".into(), code: None, seen: 2 })
    .then_row("d", Coded { tag: "d".into(), code: Some(8), seen: 1 })
    .then_parked("b", "unique column `code`")
    .then_parked("c", "unique column `code`");
}
