//! Releases of one projection that run beside each other, or one after the other.

use std::time::Duration;

use annals::LeaseHolder;
use annals::prelude::*;
use annals::projection::{Operator, ProjectionState, Pruned, Rebuild, RebuildLoad, RebuildState};
use serde::{Deserialize, Serialize};

use crate::inline::InlinePrice;
use crate::models::{Item, ItemId, ItemListed, Record};
use crate::on_each_store;
use crate::stores::{PATIENCE, Store, bus, listed, record};

on_each_store!(
    an_older_release_starts_beside_a_column_that_it_does_not_know,
    columns_in_another_order_are_the_same_columns,
    two_projections_do_not_keep_one_table,
    a_projection_that_becomes_inline_is_another,
    an_older_release_leaves_a_rebuild_to_a_newer_one,
    what_an_older_release_has_built_is_built_anew_once_columns_are_added,
    an_older_release_leaves_a_row_to_a_newer_one,
    rows_of_an_inline_projection_that_is_run_are_not_pruned,
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
release!(inlined_next, (, inline, version = 2), { price: i64 });

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

async fn quick<M: Projection>(store: &impl Store) -> ProjectionEngine {
    let engine = ProjectionEngine::builder(store.clone()).register::<M>();
    engine.polling(Duration::from_millis(20)).start().await.expect("the engine starts")
}

/// Waits until the first rebuild is as is wanted.
async fn rebuild_is(operator: &Operator, is_it: impl Fn(&Rebuild) -> bool) -> Rebuild {
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            let found = operator.rebuilds().await.expect("the store is there").remove(0);
            if is_it(&found) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    found.await.expect("it comes to that")
}

/// Waits until an engine has looked for rebuilds a few times: what it leaves stays as it is.
async fn has_looked(operator: &Operator) {
    tokio::time::sleep(Duration::from_millis(300)).await;
    let found = operator.rebuilds().await.expect("the store is there").remove(0);
    assert!(found.state.is_under_way(), "{found:?}");
}

/// What never comes to its end, unless it is let.
fn endless() -> RebuildLoad {
    RebuildLoad::unlimited().batch(10).pause(Duration::from_hours(1))
}

/// Rows that the older release has written lack what the column is for.
async fn many(store: &impl Store) {
    let bus = bus(store);
    for item in 0..40 {
        record(&bus, &format!("{item:02}"), listed("Ada", 1)).await;
    }
    list::<old::Released>(store, "zz", 1).await;
}

async fn all_have_notes(store: &impl Store) {
    let notes = notes(store).await;
    assert_eq!(notes.len(), 41);
    assert!(notes.iter().all(|(_, note, _)| note.is_some()), "{notes:?}");
}

async fn an_older_release_leaves_a_rebuild_to_a_newer_one(store: impl Store) {
    many(&store).await;
    let newer = quick::<new::Released>(&store).await;
    newer.begin_rebuild::<new::Released>(endless()).await.expect("it is asked for");
    rebuild_is(newer.operator(), |rebuild| rebuild.events > 0).await;
    newer.shutdown().await.expect("nothing went wrong");
    // Neither what is under way, nor what is asked for.
    let older = quick::<old::Released>(&store).await;
    let operator = older.operator();
    let load = RebuildLoad::unlimited();
    operator.set_rebuild_load("released", 1, load).await.expect("it is under way");
    has_looked(operator).await;
    operator.cancel_rebuild("released", 1).await.expect("it is under way");
    let builder = ProjectionEngine::builder(store.clone()).register::<new::Released>();
    let newer = builder.operator().expect("nothing clashes");
    newer.begin_rebuild("released", 1, load).await.expect("it is asked for");
    has_looked(operator).await;
    let engine = quick::<new::Released>(&store).await;
    let over = rebuild_is(operator, |rebuild| !rebuild.state.is_under_way()).await;
    assert_eq!(over.state, RebuildState::Done, "{over:?}");
    all_have_notes(&store).await;
    drop((older, engine));
}

async fn what_an_older_release_has_built_is_built_anew_once_columns_are_added(store: impl Store) {
    many(&store).await;
    let older = quick::<old::Released>(&store).await;
    older.begin_rebuild::<old::Released>(endless()).await.expect("it is asked for");
    let operator = older.operator();
    rebuild_is(operator, |rebuild| rebuild.events > 0).await;
    let newer = start::<new::Released>(&store).await;
    let load = RebuildLoad::unlimited();
    operator.set_rebuild_load("released", 1, load).await.expect("it is under way");
    let over = rebuild_is(operator, |rebuild| !rebuild.state.is_under_way()).await;
    assert_eq!(over.state, RebuildState::Done, "{over:?}");
    all_have_notes(&store).await;
    drop((older, newer));
}

async fn an_older_release_leaves_a_row_to_a_newer_one(store: impl Store) {
    list::<old::Released>(&store, "a", 1).await;
    list::<new::Released>(&store, "b", 1).await;
    let older = quick::<old::Released>(&store).await;
    crate::stopped::is(&older, ProjectionState::Live).await;
    let refused = older.rebuild_key::<old::Released>("a").await.expect_err("it lacks the note");
    let refused = annals::projection::chain(&refused);
    assert!(refused.contains("columns that this release does not know (`note`)"), "{refused}");
    let builder = ProjectionEngine::builder(store.clone()).register::<new::Released>();
    let newer = builder.operator().expect("nothing clashes");
    let load = RebuildLoad::unlimited();
    newer.begin_rebuild_key("released", 1, "a", load).await.expect("it is asked for");
    has_looked(&newer).await;
    older.shutdown().await.expect("nothing went wrong");
    let engine = quick::<new::Released>(&store).await;
    let over = rebuild_is(&newer, |rebuild| !rebuild.state.is_under_way()).await;
    assert_eq!(over.state, RebuildState::Done, "{over:?}");
    assert_eq!(notes(&store).await[0], ("a".into(), Some("Ada".to_owned()), 1));
    drop(engine);
}

async fn rows_of_an_inline_projection_that_is_run_are_not_pruned(store: impl Store) {
    let bus = CommandBus::builder(store.clone()).register::<Item>();
    let bus = bus.register_inline::<inlined::Released>().build().expect("nothing clashes");
    let start = async |name: &str| {
        let builder = ProjectionEngine::builder(store.clone()).register::<inlined::Released>();
        let builder = builder.name(name).lease(PATIENCE).polling(Duration::from_millis(20));
        builder.start().await.expect("the engine starts")
    };
    // Two of one name: each is seen.
    let (first, second) = (start("twin").await, start("twin").await);
    let seats = "annals/projection/released/seats";
    let seated = async |count: usize| {
        let seated = async {
            loop {
                let held = store.leases(seats).await.expect("the store is there");
                let is_it = |held: &&LeaseHolder| held.id.version == 1 && held.is_held();
                if held.iter().filter(is_it).count() == count {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, seated).await.expect("each has a seat");
    };
    seated(2).await;
    record(&bus, "a", listed("Ada", 1)).await;
    let newer = ProjectionEngine::builder(store.clone()).register::<inlined_next::Released>();
    let newer = newer.start().await.expect("the engine starts");
    for engine in [first, second] {
        let pruned = newer.prune().await.expect("the store is there");
        assert_eq!(pruned.iter().map(|(_, pruned)| *pruned).collect::<Vec<_>>(), [Pruned::InUse]);
        let again = Record { item: "a".into(), what: listed("Ada", 2) };
        bus.dispatch(again).await.expect("its row is there");
        engine.shutdown().await.expect("nothing went wrong");
    }
    seated(0).await;
    let pruned = newer.prune().await.expect("the store is there");
    assert_eq!(pruned.iter().map(|(_, pruned)| *pruned).collect::<Vec<_>>(), [Pruned::Done]);
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
