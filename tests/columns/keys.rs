//! Decimals as keys: one number is one row, however many zeros it was written with.

use std::time::Duration;

use annals::prelude::*;
use annals::{SnapshotStore, UnitOfWorkStore};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::model::Kept;
use crate::{Error, Writer, fresh, number};

const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Sold {
    price: Decimal,
    pieces: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Sell {
    #[command(id)]
    shop: String,
    price: Decimal,
    pieces: i64,
}

#[derive(Debug, Aggregate)]
#[aggregate(id = String, events(Sold))]
struct Shop;

#[handlers]
impl Shop {
    #[handle(upsert)]
    fn sell(_: Option<&Self>, command: Sell) -> Sold {
        Sold { price: command.price, pieces: command.pieces }
    }

    #[apply(upsert)]
    fn sold(_: Option<Self>, _: &Sold) -> Self {
        Self
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "sales")]
struct Sales {
    #[read_model(key)]
    price: Decimal,
    pieces: i64,
    #[read_model(index)]
    last: DateTime<Utc>,
}

#[projection]
impl Sales {
    #[on(upsert, key = price)]
    fn sold(
        row: Option<Self>,
        event: &Sold,
        cx: &EventContext<Self>,
    ) -> Result<Self, &'static str> {
        if event.pieces < 0 {
            return Err("nobody buys less than nothing");
        }
        let pieces = row.map_or(0, |row| row.pieces) + event.pieces;
        Ok(Self { price: event.price, pieces, last: cx.recorded_at().into() })
    }
}

#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = Option<Sales>)]
struct SalesAt {
    price: Decimal,
}

#[query_handler]
async fn sales_at(query: SalesAt, cx: &QueryContext) -> Result<Option<Sales>, ReadModelError> {
    cx.models().get::<Sales>(query.price).await
}

async fn one_number_is_one_row(
    store: impl UnitOfWorkStore + SnapshotStore + Clone,
) -> Result<(), Error> {
    let bus = CommandBus::builder(store.clone()).register::<Shop>().build()?;
    let engine = ProjectionEngine::builder(store.clone())
        .register::<Sales>()
        .retry(RetryPolicy::never())
        .polling(Duration::from_millis(50))
        .start()
        .await?;
    let sell = async |shop: &str, price: &str, pieces| {
        bus.dispatch(Sell { shop: shop.to_owned(), price: number(price), pieces }).await
    };
    sell("a", "1.5", 1).await?;
    let second = sell("a", "1.50", 2).await?;
    engine.wait_for::<Sales>(&second, PATIENCE).await?;
    let rows = engine.read_models().query::<Sales>().fetch().await?;
    let shown: Vec<_> = rows.iter().map(|row| (row.price.to_string(), row.pieces)).collect();
    assert_eq!(shown, [("1.50".to_owned(), 3)]);
    assert_eq!(rows[0].last, second_instant(&engine, &rows[0]).await?);

    // As JSON it is what the types' own features write.
    let queries = QueryBus::new(engine.read_models());
    let json = queries.ask_json("SalesAt", json!({ "price": "1.500" })).await?;
    let last = serde_json::to_value(rows[0].last)?;
    assert_eq!(json, json!({ "price": "1.50", "pieces": 3, "last": last }));

    // What is parked for the number waits, whatever its zeros.
    sell("a", "1.500", -1).await?;
    let behind = sell("a", "1.5", 4).await?;
    let other = sell("b", "2", 1).await?;
    engine.wait_for::<Sales>(&other, PATIENCE).await?;
    let parked = engine.parked::<Sales>().await?;
    let parked: Vec<_> = parked.iter().map(|event| (&*event.key, event.position)).collect();
    assert_eq!(parked.len(), 2, "{parked:?}");
    assert_eq!(parked[1], ("1.5", behind.position));
    engine.drop_parked::<Sales>(number("1.5000")).await?;
    assert!(engine.parked::<Sales>().await?.is_empty());
    engine.shutdown().await?;
    Ok(())
}

/// The row's instant as a question by it finds it.
async fn second_instant(engine: &ProjectionEngine, row: &Sales) -> Result<DateTime<Utc>, Error> {
    let found =
        engine.read_models().query::<Sales>().filter(Sales::LAST.ge(row.last)).one().await?;
    Ok(found.ok_or("the row is not found by its instant")?.last)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_number_is_one_row_in_memory() -> Result<(), Error> {
    one_number_is_one_row(MemoryStore::new()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_number_is_one_row_on_postgresql() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    one_number_is_one_row(store).await
}

/// A key that is written again with more zeros has them afterwards, as in memory.
#[tokio::test]
async fn a_key_has_the_zeros_of_its_last_row() -> Result<(), Error> {
    let (postgres, _database) = fresh().await?;
    let mut in_memory = Writer::of::<Kept>(MemoryStore::new()).await?;
    let mut in_postgres = Writer::of::<Kept>(postgres).await?;
    for price in ["1.5", "1.50"] {
        let row = Kept::at_price(number(price));
        in_memory.put(&row).await?;
        in_postgres.put(&row).await?;
    }
    for models in
        [ReadModels::new(in_memory.store.clone()), ReadModels::new(in_postgres.store.clone())]
    {
        let rows = models.query::<Kept>().fetch().await?;
        let prices: Vec<_> = rows.iter().map(|row| row.price.to_string()).collect();
        assert_eq!(prices, ["1.50"], "{models:?}");
    }
    Ok(())
}
