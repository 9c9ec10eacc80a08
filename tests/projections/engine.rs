//! What the engine does when nothing fails: rows, status, waiting, pausing, tables.

use std::time::Duration;

use annals::prelude::*;
use annals::projection::ProjectionState;
use annals::read_model::IntoColumn;

use crate::models::{ItemId, ItemRow, ItemSold, OwnerRenamed, Sale, TagCount, What};
use crate::on_each_store;
use crate::stores::{PATIENCE, Store, bus, listed, priced, record, wait};

on_each_store!(
    rows_follow_their_streams,
    one_event_goes_to_several_rows,
    each_row_of_a_value_changes,
    a_late_engine_catches_up,
    a_paused_projection_waits_and_goes_on,
    an_engine_goes_on_where_another_stopped,
    the_status_tells_how_far_it_is,
    waiting_for_what_never_comes_ends,
    a_program_that_only_reads_waits_for_an_engine_elsewhere,
    rows_are_found_ordered_counted_and_paged,
);

async fn start(store: &impl Store) -> ProjectionEngine {
    ProjectionEngine::builder(store.clone())
        .register::<ItemRow>()
        .register::<TagCount>()
        .register::<Sale>()
        .polling(Duration::from_millis(50))
        .start()
        .await
        .expect("the engine starts")
}

async fn row(engine: &ProjectionEngine, item: &str) -> Option<ItemRow> {
    engine.read_models().get::<ItemRow>(item).await.expect("the row is read")
}

async fn rows_follow_their_streams(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store).await);
    record(&bus, "a", listed("Ada", 5)).await;
    record(&bus, "b", listed("Bob", 6)).await;
    record(&bus, "a", priced(7)).await;
    record(&bus, "b", What::Removed).await;
    let sold = record(&bus, "a", What::Sold(ItemSold { buyer: "Cid".into() })).await;
    wait(&engine, &sold).await;
    let expected = ItemRow {
        item: "a".into(),
        owner: "Ada".into(),
        price: 7,
        buyer: Some("Cid".into()),
        tags: vec!["new".into(), "Ada".into()],
        changes: 2,
    };
    assert_eq!(row(&engine, "a").await, Some(expected));
    assert_eq!(row(&engine, "b").await, None);
    engine.shutdown().await.expect("nothing went wrong");
}

async fn one_event_goes_to_several_rows(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store).await);
    for (item, owner) in [("a", "Ada"), ("b", "Bob"), ("c", "Ada")] {
        record(&bus, item, listed(owner, 1)).await;
    }
    let sold = record(&bus, "a", What::Sold(ItemSold { buyer: "Cid".into() })).await;
    engine.wait_for::<TagCount>(&sold, PATIENCE).await.expect("it comes there");
    engine.wait_for::<Sale>(&sold, PATIENCE).await.expect("it comes there");
    let counts = engine.read_models().query::<TagCount>().fetch().await.expect("rows are read");
    let counts: Vec<(&str, i64)> = counts.iter().map(|row| (&*row.tag, row.items)).collect();
    assert_eq!(counts, [("Ada", 2), ("Bob", 1), ("new", 3)]);
    let sale = engine.read_models().get::<Sale>(("any", "Cid")).await.expect("the row is read");
    assert_eq!(sale.map(|sale| sale.times), Some(1));
}

async fn each_row_of_a_value_changes(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store).await);
    for (item, owner) in [("a", "Ada"), ("b", "Bob"), ("c", "Ada")] {
        record(&bus, item, listed(owner, 1)).await;
    }
    let renamed = OwnerRenamed { from: "Ada".into(), to: "Bob".into() };
    record(&bus, "x", What::Renamed(renamed)).await;
    // In the same batch: those who have just become Bob's are, too.
    let renamed = OwnerRenamed { from: "Bob".into(), to: "Eve".into() };
    let receipt = record(&bus, "x", What::Renamed(renamed)).await;
    wait(&engine, &receipt).await;
    let rows = engine.read_models().query::<ItemRow>().fetch().await.expect("rows are read");
    let rows: Vec<_> = rows.iter().map(|row| (&*row.item.0, &*row.owner, row.changes)).collect();
    assert_eq!(rows, [("a", "Eve", 2), ("b", "Eve", 1), ("c", "Eve", 2)]);
}

async fn a_late_engine_catches_up(store: impl Store) {
    let bus = bus(&store);
    let mut last = None;
    for number in 0..300 {
        let item = format!("i-{}", number % 30);
        let what = if number < 30 { listed("Ada", 0) } else { priced(number) };
        last = Some(record(&bus, &item, what).await);
    }
    let engine = start(&store).await;
    wait(&engine, &last.expect("there is one")).await;
    let rows = engine.read_models().query::<ItemRow>().fetch().await.expect("rows are read");
    assert_eq!(rows.len(), 30);
    assert!(rows.iter().all(|row| row.changes == 9), "{rows:?}");
    let prices: i64 = rows.iter().map(|row| row.price).sum();
    assert_eq!(prices, (270..300).sum::<i64>());
}

async fn a_paused_projection_waits_and_goes_on(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store).await);
    let first = record(&bus, "a", listed("Ada", 1)).await;
    wait(&engine, &first).await;
    engine.pause::<ItemRow>().await.expect("it is registered");
    let second = record(&bus, "a", priced(2)).await;
    // The others go on: that they have passed it shows that there was time.
    engine.wait_for::<TagCount>(&second, PATIENCE).await.expect("it comes there");
    let late = engine.wait_for::<ItemRow>(&second, Duration::from_millis(100)).await;
    assert!(matches!(late, Err(ReadModelError::Paused { .. })), "{late:?}");
    let status = engine.status().await.expect("the store is there");
    let status = status.of::<ItemRow>().expect("it is registered");
    assert_eq!((status.state, status.events_behind > 0), (ProjectionState::Paused, true));
    assert_eq!(row(&engine, "a").await.map(|row| row.price), Some(1));
    engine.resume::<ItemRow>().await.expect("it is registered");
    wait(&engine, &second).await;
    assert_eq!(row(&engine, "a").await.map(|row| row.price), Some(2));
}

async fn an_engine_goes_on_where_another_stopped(store: impl Store) {
    let bus = bus(&store);
    for round in 1..=3 {
        let engine = start(&store).await;
        let receipt = record(&bus, "a", listed("Ada", round)).await;
        wait(&engine, &receipt).await;
        let changes = row(&engine, "a").await.map(|row| i64::from(row.changes));
        assert_eq!(changes, Some(round - 1), "each event once, in round {round}");
        engine.shutdown().await.expect("nothing went wrong");
    }
}

async fn the_status_tells_how_far_it_is(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store).await);
    let receipt = record(&bus, "a", listed("Ada", 1)).await;
    wait(&engine, &receipt).await;
    let status = engine.status().await.expect("the store is there");
    let names: Vec<&str> = status.projections.iter().map(|status| &*status.name).collect();
    assert_eq!(names, ["items", "sales", "tag_counts"]);
    let items = status.of::<ItemRow>().expect("it is registered");
    assert_eq!(items.state, ProjectionState::Live);
    assert_eq!((items.position, items.head), (receipt.position, receipt.position));
    assert_eq!((items.events_behind, items.parked, items.events), (0, 0, 1));
    assert_eq!((items.version, items.generation), (1, 1));
    assert!(items.owner.is_some() && items.last_error.is_none(), "{items:?}");
}

async fn waiting_for_what_never_comes_ends(store: impl Store) {
    let bus = bus(&store);
    let receipt = record(&bus, "a", listed("Ada", 1)).await;
    let engine = ProjectionEngine::builder(store.clone()).register::<Sale>().start().await;
    let engine = engine.expect("the engine starts");
    let other = engine.wait_for::<ItemRow>(&receipt, PATIENCE).await;
    assert!(matches!(other, Err(ReadModelError::NotRegistered { .. })), "{other:?}");
    // A program that only reads, while nobody writes.
    let models = ReadModels::new(store).after_within(&receipt, Duration::from_millis(50));
    let late = models.query::<ItemRow>().fetch().await;
    assert!(matches!(late, Err(ReadModelError::Missing { .. })), "{late:?}");
}

async fn a_program_that_only_reads_waits_for_an_engine_elsewhere(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store).await);
    let first = record(&bus, "a", listed("Ada", 1)).await;
    wait(&engine, &first).await;
    engine.rebuild::<ItemRow>().await.expect("it is done");
    engine.shutdown().await.expect("nothing went wrong");
    let models = ReadModels::new(store.clone());
    // With a patience that has no end, too.
    let rows = models.clone().after_within(&first, Duration::MAX).query::<ItemRow>().count().await;
    assert_eq!(rows.expect("it is there"), 1);
    let second = record(&bus, "b", listed("Ada", 1)).await;
    let behind = models.after_within(&second, Duration::from_millis(30));
    let late = behind.query::<ItemRow>().count().await;
    assert!(matches!(late, Err(ReadModelError::Late { .. })), "{late:?}");
    let engine = start(&store).await;
    engine.wait_for::<ItemRow>(&second, Duration::MAX).await.expect("it comes there");
}

async fn rows_are_found_ordered_counted_and_paged(store: impl Store) {
    let (bus, engine) = (bus(&store), start(&store).await);
    let mut last = None;
    for number in 0..25_i64 {
        let owner = ["Ada", "Bob"][usize::from(number % 5 == 0)];
        last = Some(record(&bus, &format!("i-{number:02}"), listed(owner, number / 2)).await);
    }
    let models = engine.read_models().after(&last.expect("there is one"));
    let query = || models.query::<ItemRow>();
    let prices = async |condition| {
        let rows = query().filter(condition).order_by(ItemRow::PRICE.asc()).fetch().await;
        rows.expect("rows are read").iter().map(|row| row.price).collect::<Vec<_>>()
    };
    assert_eq!(prices(ItemRow::PRICE.lt(2)).await, [0, 0, 1, 1]);
    assert_eq!(prices(ItemRow::PRICE.le(1)).await, [0, 0, 1, 1]);
    assert_eq!(prices(ItemRow::PRICE.gt(11)).await, [12]);
    assert_eq!(prices(ItemRow::PRICE.ge(11)).await, [11, 11, 12]);
    assert_eq!(prices(ItemRow::PRICE.in_([3, 12, 99])).await, [3, 3, 12]);
    assert_eq!(prices(ItemRow::PRICE.in_(Vec::<i64>::new())).await, [0; 0]);
    let bobs = query().filter(ItemRow::OWNER.eq("Bob"));
    assert_eq!(bobs.filter(ItemRow::PRICE.gt(0)).count().await.expect("rows are counted"), 4);
    let first = query().order_by(ItemRow::ITEM.desc()).first().await.expect("rows are read");
    assert_eq!(first.map(|row| row.item), Some(ItemId::from("i-24")));

    let mut paged: Vec<ItemRow> = Vec::new();
    loop {
        let mut page =
            query().order_by(ItemRow::OWNER.desc()).order_by(ItemRow::PRICE.asc()).limit(4);
        if let Some(last) = paged.last() {
            page = page.after(last);
        }
        let page = page.fetch().await.expect("rows are read");
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    let mut expected = query().fetch().await.expect("rows are read");
    expected.sort_by(|one, two| {
        two.owner.cmp(&one.owner).then(one.price.cmp(&two.price)).then(one.item.0.cmp(&two.item.0))
    });
    assert_eq!(paged, expected);
    // In whatever order it is written.
    let page = query().after(&expected[3]).order_by(ItemRow::OWNER.desc());
    let page = page.order_by(ItemRow::PRICE.asc()).limit(4).fetch().await;
    assert_eq!(page.expect("rows are read"), expected[4..8]);
    let _: ItemId = "i-1".into_column();
}
