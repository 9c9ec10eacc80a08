//! What PostgreSQL's types are, and what of them a row cannot hold.

use annals::prelude::*;
use annals::projection::ModelDefinition;
use annals::read_model::{ColumnKind, Row, Table, TableColumn, Value};
use annals::{CheckpointChange, Position, ReadModelStore, RowChange, WriteError};
use sqlx::AssertSqlSafe;

use crate::model::Kept;
use crate::{Error, Writer, fresh, number, told};

#[tokio::test]
async fn columns_are_of_the_types_that_sql_has_for_them() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let mut writer = Writer::of::<Kept>(store).await?;
    writer.put(&Kept::at_price(number("1.50"))).await?;
    let types: Vec<String> = sqlx::query_scalar(
        "SELECT pg_typeof(price) || ' ' || pg_typeof(day) || ' ' || pg_typeof(utc) || ' ' || pg_typeof(naive) FROM kept",
    )
    .fetch_all(writer.store.pool())
    .await?;
    assert_eq!(types, ["numeric date timestamp with time zone timestamp without time zone"]);
    let shown: String = sqlx::query_scalar(
        "SELECT price || ' ' || day || ' ' || naive || ' ' || primitive FROM kept",
    )
    .fetch_one(writer.store.pool())
    .await?;
    assert_eq!(shown, "1.50 1970-01-01 1970-01-01 00:00:00 9999-12-31 00:00:00");
    Ok(())
}

/// The tables are anybody's: a number that somebody else wrote is refused, and not rounded.
#[tokio::test]
async fn a_number_of_more_digits_than_a_decimal_has_is_not_read() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let mut writer = Writer::of::<Kept>(store).await?;
    writer.put(&Kept::at_price(number("1"))).await?;
    for text in
        ["79228162514264337593543950336", "0.00000000000000000000000000001", "NaN", "Infinity"]
    {
        let sql = format!("UPDATE annals.kept_v1_1 SET rebate = '{text}'");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(writer.store.pool()).await?;
        let models = ReadModels::new(writer.store.clone());
        let error = models.query::<Kept>().fetch().await.expect_err("it does not fit");
        let (told, expected) =
            (told(&error), format!("column `rebate`: `{text}` does not fit a `Decimal`"));
        assert!(told.contains(&expected), "{told}");
    }
    Ok(())
}

#[tokio::test]
async fn what_postgresql_does_not_keep_is_refused_by_its_column() -> Result<(), Error> {
    const EDGES: &Table = &Table::new(
        "edges",
        &[
            TableColumn::new("key", ColumnKind::Integer, false),
            TableColumn::new("number", ColumnKind::Decimal, true),
            TableColumn::new("day", ColumnKind::Date, true),
            TableColumn::new("moment", ColumnKind::DateTime, true),
        ],
        &[0],
    );
    let (store, _database) = fresh().await?;
    let definition = ModelDefinition::new("edges", 1, Some(EDGES), vec!["Happened".to_owned()]);
    store.prepare(&definition).await?;
    let hour = std::time::Duration::from_hours(1);
    let fence = store.claim_lease(&definition.reader(1), "owner", hour).await?;
    let fence = fence.expect("nobody else holds it");
    let table = definition.table_of(1).expect("it has a table");
    let put = async |at: usize, value: Value| {
        let mut row = Row(vec![Value::Integer(1), Value::Null, Value::Null, Value::Null]);
        row.0[at] = value;
        let position = Position::from(1);
        let checkpoint = CheckpointChange { fence: fence.clone(), position };
        store.write_rows(vec![RowChange::Upsert { table, row }], checkpoint).await
    };
    let numbers = ["", "-", ".", "+1", "1e5", "NaN", "1 ", "1.2.3", "0x1"];
    let long = [format!("1{}", "0".repeat(131_072)), format!("0.{}1", "0".repeat(16_383))];
    let numbers = numbers.map(str::to_owned).into_iter().chain(long);
    let numbers = numbers.map(|text| (1, "number", Value::Decimal(text)));
    let days = [-2_440_589, 2_145_042_906, i32::MIN, i32::MAX];
    let days = days.map(|day| (2, "day", Value::Date(day)));
    let moments = [-210_866_803_200_000_001, i64::MIN];
    let moments = moments.map(|micros| (3, "moment", Value::DateTime(micros)));
    for (at, name, value) in numbers.chain(days).chain(moments) {
        match put(at, value.clone()).await {
            Err(WriteError::RowRefused { source, .. }) => {
                let told = source.to_string();
                assert!(told.starts_with(&format!("column `{name}`: ")), "{told}");
            }
            other => panic!("{value}: {other:?}"),
        }
    }
    // The ends themselves are kept.
    let numbers = ["-.5", "5.", "007", "-0"].map(|text| (1, Value::Decimal(text.to_owned())));
    let long = [format!("1{}", "0".repeat(131_071)), format!("0.{}1", "0".repeat(16_382))];
    let days = [-2_440_588, 2_145_042_905].map(|day| (2, Value::Date(day)));
    let moments = [-210_866_803_200_000_000, i64::MAX];
    let moments = moments.map(|micros| (3, Value::DateTime(micros)));
    let long = long.map(|text| (1, Value::Decimal(text)));
    for (at, value) in numbers.into_iter().chain(long).chain(days).chain(moments) {
        put(at, value.clone()).await.map_err(|error| format!("{value}: {}", told(&error)))?;
        let rows = store.select(EDGES, 1, &annals::read_model::Select::all(EDGES)).await?;
        assert_eq!(rows.expect("there is a table")[0].0[at], value);
    }
    Ok(())
}
