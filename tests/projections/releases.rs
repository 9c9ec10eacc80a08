//! Releases of one projection that run beside each other, or one after the other.

use std::time::Duration;

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use crate::inline::InlinePrice;
use crate::models::{ItemId, ItemListed};
use crate::on_each_store;
use crate::stores::{PATIENCE, Store, bus, listed, record};

on_each_store!(
    an_older_release_starts_beside_a_column_that_it_does_not_know,
    columns_in_another_order_are_the_same_columns,
    two_projections_do_not_keep_one_table,
    a_projection_that_becomes_inline_is_another,
);

macro_rules! release {
    ($name:ident, ($($option:tt)*), { $($column:ident: $ty:ty),+ }) => {
        mod $name {
            use super::*;

            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
            #[read_model(table = "released")]
            pub struct Released {
                #[read_model(key)]
                pub item: ItemId,
                $(pub $column: $ty,)+
            }

            #[projection(name = "released" $($option)*)]
            impl Released {
                #[on(upsert)]
                fn listed(_: Option<Self>, event: &ItemListed, cx: &EventContext<Self>) -> Self {
                    Self { item: cx.key().clone(), $($column: super::$column(event)),+ }
                }
            }
        }
    };
}

fn price(event: &ItemListed) -> i64 {
    event.price
}

fn note(event: &ItemListed) -> Option<String> {
    Some(event.owner.clone())
}

fn title(event: &ItemListed) -> String {
    event.owner.clone()
}

release!(old, (), { price: i64 });
release!(new, (), { note: Option<String>, price: i64 });
release!(turned, (), { price: i64, note: Option<String> });
release!(inlined, (, inline), { price: i64 });
release!(next, (, version = 2), { title: String });

async fn start<M: Projection>(store: &impl Store) -> ProjectionEngine {
    let engine = ProjectionEngine::builder(store.clone()).register::<M>();
    engine.start().await.expect("the engine starts")
}

async fn list<M: Projection>(store: &impl Store, item: &str, price: i64) {
    let engine = start::<M>(store).await;
    let last = record(&bus(store), item, listed("Ada", price)).await;
    engine.wait_for::<M>(&last, PATIENCE).await.expect("it comes there");
    engine.shutdown().await.expect("nothing went wrong");
}

async fn notes(store: &impl Store) -> Vec<(String, Option<String>, i64)> {
    let models = ReadModels::new(store.clone());
    let rows = models.query::<new::Released>().fetch().await.expect("rows are read");
    rows.into_iter().map(|row| (row.item.0, row.note, row.price)).collect()
}

async fn an_older_release_starts_beside_a_column_that_it_does_not_know(store: impl Store) {
    let ada = || Some("Ada".to_owned());
    list::<old::Released>(&store, "a", 1).await;
    list::<new::Released>(&store, "b", 1).await;
    list::<new::Released>(&store, "c", 1).await;
    assert_eq!(
        notes(&store).await,
        [("a".into(), None, 1), ("b".into(), ada(), 1), ("c".into(), ada(), 1)]
    );
    // What it does not know stays as it is.
    list::<old::Released>(&store, "b", 2).await;
    list::<old::Released>(&store, "d", 2).await;
    let expected = [
        ("a".into(), None, 1),
        ("b".into(), ada(), 2),
        ("c".into(), ada(), 1),
        ("d".into(), None, 2),
    ];
    assert_eq!(notes(&store).await, expected);
    let models = ReadModels::new(store.clone());
    let row = models.get::<old::Released>("d").await.expect("the row is read");
    assert_eq!(row.map(|row| row.price), Some(2));
    let engine = start::<old::Released>(&store).await;
    let refused = engine.rebuild::<old::Released>().await.expect_err("it would lose the notes");
    let refused = annals::projection::chain(&refused);
    assert!(refused.contains("columns that this release does not know (`note`)"), "{refused}");
    engine.shutdown().await.expect("nothing went wrong");
    let engine = start::<new::Released>(&store).await;
    engine.rebuild::<new::Released>().await.expect("it is done");
    assert!(notes(&store).await.iter().all(|(_, note, _)| *note == ada()));
}

async fn columns_in_another_order_are_the_same_columns(store: impl Store) {
    list::<new::Released>(&store, "a", 1).await;
    list::<turned::Released>(&store, "b", 2).await;
    list::<turned::Released>(&store, "a", 3).await;
    let ada = || Some("Ada".to_owned());
    assert_eq!(notes(&store).await, [("a".into(), ada(), 3), ("b".into(), ada(), 2)]);
    let models = ReadModels::new(store);
    let row = models.get::<turned::Released>("b").await.expect("the row is read");
    assert_eq!(row.map(|row| (row.price, row.note)), Some((2, ada())));
}

async fn a_projection_that_becomes_inline_is_another(store: impl Store) {
    list::<old::Released>(&store, "a", 1).await;
    let engine = ProjectionEngine::builder(store).register::<inlined::Released>().start().await;
    let refused = annals::projection::chain(&engine.expect_err("its rows have no versions"));
    assert!(refused.contains("it is `inline` now, and was not"), "{refused}");
}

/// Rows in the table of an inline projection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "inline_prices")]
pub struct Twin {
    #[read_model(key)]
    pub item: ItemId,
    pub owner: String,
}

#[projection(name = "twin")]
impl Twin {
    #[on(upsert)]
    fn listed(_: Option<Self>, event: &ItemListed, cx: &EventContext<Self>) -> Self {
        Self { item: cx.key().clone(), owner: event.owner.clone() }
    }
}

async fn two_projections_do_not_keep_one_table(store: impl Store) {
    let engine =
        ProjectionEngine::builder(store).register::<InlinePrice>().register::<Twin>().start().await;
    let refused = annals::projection::chain(&engine.expect_err("one of them has the table"));
    assert!(refused.contains("another one keeps table `inline_prices` at version 1"), "{refused}");
}

/// People's SQL reads the version before until the next one has caught up, and then that, without anybody's doing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_public_name_goes_to_a_version_that_has_caught_up() {
    let (store, _database) = crate::stores::postgres().await;
    list::<old::Released>(&store, "a", 1).await;
    list::<next::Released>(&store, "b", 1).await;
    let engine = start::<next::Released>(&store).await;
    let titles = async || {
        let sql = "SELECT title FROM released ORDER BY item";
        sqlx::query_scalar::<_, String>(sql).fetch_all(store.pool()).await
    };
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Ok(titles) = titles().await {
                return titles;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert_eq!(found.await.expect("it shows the next version"), ["Ada", "Ada"]);
    // An older program that comes back does not take it.
    let older = start::<old::Released>(&store).await;
    let last = record(&bus(&store), "c", listed("Ada", 1)).await;
    older.wait_for::<old::Released>(&last, PATIENCE).await.expect("it comes there");
    engine.wait_for::<next::Released>(&last, PATIENCE).await.expect("it comes there");
    assert_eq!(titles().await.expect("the next version"), ["Ada", "Ada", "Ada"]);
}
