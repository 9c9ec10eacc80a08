//! The same changes and questions, at random, to the store in memory and to PostgreSQL: the same rows in the same order.

use std::collections::HashSet;

use annals::prelude::*;
use annals::projection::ParkedEvent;
use annals::read_model::{
    ColumnKind, Comparison, Is, ModelTable, Row, RowKey, Select, SortKey, Test, Value,
};
use annals::{Payload, Position, ReadModelStore, RowChange, StreamId, Timestamp, WriteError};
use fastrand::Rng;
use uuid::Uuid;

use crate::tables::ALL;
use crate::{Error, definition, fresh, lease, told, write};

const SEEDS: u64 = 6;
const STEPS: u64 = 120;

fn value(rng: &mut Rng, column: usize) -> Value {
    let column = &ALL.columns[column];
    if column.nullable && rng.u8(..4) == 0 {
        return Value::Null;
    }
    // Few values, so that many rows share one.
    let few = rng.i64(-2..=2);
    match column.kind {
        ColumnKind::Bool => Value::Bool(rng.bool()),
        ColumnKind::SmallInt => Value::Integer(few * 16_000),
        ColumnKind::Integer => Value::Integer(few * 1_000_000_000),
        ColumnKind::BigInt => Value::Integer(few * (i64::MAX / 2)),
        ColumnKind::Real | ColumnKind::Double => Value::Float(
            [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.5, -2.25][rng.usize(..7)],
        ),
        ColumnKind::Decimal => Value::Decimal(
            [
                "0",
                "-0.50",
                "-.5",
                "12345678901234567890.123456789",
                "1.0",
                "1",
                "10",
                "9.99",
                "-0.0",
            ][rng.usize(..9)]
            .to_owned(),
        ),
        ColumnKind::Text => Value::Text(
            ["", "a", "A", "ab", "é", "e\u{301}", "🦀", "'; --", "%", "\\"][rng.usize(..10)]
                .to_owned(),
        ),
        ColumnKind::Uuid => Value::Uuid(Uuid::from_u128(u128::from(rng.u8(..4)) << 120)),
        ColumnKind::Timestamp => Value::Timestamp(Timestamp::from_micros(few * 1_000_001)),
        ColumnKind::Date => Value::Date(i32::try_from(few * 100_000).expect("a small number")),
        ColumnKind::DateTime => Value::DateTime(few * 86_400_000_001),
        ColumnKind::Json => {
            Value::Json(Payload::new(["{}", "[1, 1.0]", "\"\\u0000\""][rng.usize(..3)]))
        }
        _ => Value::Null,
    }
}

fn row(rng: &mut Rng) -> Row {
    let mut row = Row((0..ALL.columns.len()).map(|column| value(rng, column)).collect());
    row.0[13] = if rng.bool() { Value::Null } else { Value::Integer(rng.i64(0..60)) };
    row
}

fn key(rng: &mut Rng) -> RowKey {
    ALL.key_of(&row(rng))
}

fn test(rng: &mut Rng) -> Test {
    let column = rng.usize(..ALL.columns.len());
    let compared = |comparison, value| Is::Compared(comparison, value);
    let mut asked = value(rng, column);
    if ALL.columns[column].kind == ColumnKind::Text && rng.u8(..6) == 0 {
        asked = Value::Text("a\0b".to_owned());
    }
    // Nobody keeps the ends, but all compare with them.
    let end = rng.bool();
    match ALL.columns[column].kind {
        ColumnKind::Date if rng.u8(..4) == 0 => {
            asked = Value::Date(if end { i32::MIN } else { i32::MAX });
        }
        ColumnKind::DateTime if rng.u8(..4) == 0 => {
            asked = Value::DateTime(if end { i64::MIN } else { i64::MAX });
        }
        _ => {}
    }
    let is = match rng.u8(..7) {
        0 | 1 => compared(Comparison::Equal, asked),
        2 => compared(Comparison::Less, asked),
        3 => compared(Comparison::LessOrEqual, asked),
        4 => compared(Comparison::Greater, asked),
        5 => compared(Comparison::GreaterOrEqual, asked),
        _ => Is::In((0..rng.usize(..4)).map(|_| value(rng, column)).chain([asked]).collect()),
    };
    Test { column, is }
}

fn select(rng: &mut Rng) -> Select {
    let mut select = Select::default();
    for _ in 0..rng.usize(..3) {
        select = select.test(test(rng));
    }
    for _ in 0..rng.usize(..4) {
        let column = rng.usize(..ALL.columns.len());
        if select.order.iter().all(|by| by.column != column) {
            select.order.push(SortKey { column, descending: rng.bool() });
        }
    }
    for &column in ALL.key {
        if select.order.iter().all(|by| by.column != column) {
            select.order.push(SortKey { column, descending: rng.bool() });
        }
    }
    select
}

fn park(rng: &mut Rng, table: &ModelTable) -> RowChange {
    let reader = definition(ALL, table.version).reader(table.generation);
    let keys = ["a".to_owned(), "b\0".to_owned(), "\\0".to_owned(), long_key()];
    let key = keys[rng.usize(..4)].clone();
    let position = Position::from(rng.u64(1..4));
    if rng.bool() {
        return RowChange::Unpark { reader, key, position };
    }
    RowChange::Park(ParkedEvent {
        reader,
        key,
        position,
        stream_id: StreamId::new("account", "ada"),
        event_type: "Happened".to_owned(),
        error: ["", "it failed"][rng.usize(..2)].to_owned(),
        attempts: rng.u32(..3),
        parked_at: Timestamp::from_micros(rng.i64(0..1_000)),
        retry_at: rng.bool().then(|| Timestamp::from_micros(rng.i64(0..1_000))),
    })
}

/// Longer than an index takes, however it is packed.
fn long_key() -> String {
    (1..1_000_u32).map(|number| format!("{:08x}", number.wrapping_mul(2_654_435_761))).collect()
}

/// Changes of a batch; each parked event changes once at most, as the engine has it.
fn changes(rng: &mut Rng, table: ModelTable) -> Vec<RowChange> {
    let mut parked = HashSet::new();
    let mut is_first = |change: &RowChange| match change {
        RowChange::Park(event) => parked.insert((event.position, event.key.clone())),
        RowChange::Unpark { key, position, .. } => parked.insert((*position, key.clone())),
        _ => true,
    };
    (0..rng.usize(..12)).map(|_| change(rng, table)).filter(|change| is_first(change)).collect()
}

fn change(rng: &mut Rng, table: ModelTable) -> RowChange {
    match rng.u8(..10) {
        0..=5 => RowChange::Upsert { table, row: row(rng) },
        6 | 7 => RowChange::Delete { table, key: key(rng) },
        _ => park(rng, &table),
    }
}

#[tokio::test]
async fn rows_are_those_of_the_store_in_memory() -> Result<(), Error> {
    let (postgres, _database) = fresh().await?;
    for seed in 0..SEEDS {
        let version = u32::try_from(seed)? + 1;
        let memory = MemoryStore::new();
        agree(&memory, &postgres, version, Rng::with_seed(seed))
            .await
            .map_err(|error| format!("seed {seed}: {error}"))?;
    }
    Ok(())
}

async fn agree(
    memory: &MemoryStore,
    postgres: &impl ReadModelStore,
    version: u32,
    mut rng: Rng,
) -> Result<(), Error> {
    let definition = definition(ALL, version);
    assert_eq!(memory.prepare(&definition).await?, postgres.prepare(&definition).await?);
    let table = definition.table_of(1).expect("it has one");
    let (of_memory, of_postgres) =
        (lease(memory, &definition, 1).await?, lease(postgres, &definition, 1).await?);
    let mut refused = 0;
    for step in 1..=STEPS {
        let changes = changes(&mut rng, table);
        let expected = write(memory, &of_memory, step, changes.clone()).await;
        let found = write(postgres, &of_postgres, step, changes.clone()).await;
        match (&expected, &found) {
            (Ok(()), Ok(())) => {}
            (Err(WriteError::RowRefused { .. }), Err(WriteError::RowRefused { .. })) => {
                refused += 1
            }
            _ => panic!("step {step}: {expected:?}, but {found:?} of {changes:#?}"),
        }
        let reader = &of_memory.id;
        assert_eq!(memory.checkpoint(reader).await?, postgres.checkpoint(reader).await?);
        for key in [None, Some("b\0"), Some(&*long_key())] {
            let expected = short(memory.parked(reader, key).await?);
            assert_eq!(
                expected,
                short(postgres.parked(reader, key).await?),
                "step {step}: {key:?}"
            );
        }
        look(memory, postgres, &table, &mut rng).await?;
    }
    assert!(refused > 0, "no two rows had the same value in the unique column");
    Ok(())
}

/// Parked events whose long key is told shortly.
fn short(mut events: Vec<ParkedEvent>) -> Vec<ParkedEvent> {
    for event in events.iter_mut().filter(|event| event.key == long_key()) {
        event.key = "long".to_owned();
    }
    events
}

/// Asks both for the same rows.
async fn look(
    memory: &MemoryStore,
    postgres: &impl ReadModelStore,
    table: &ModelTable,
    rng: &mut Rng,
) -> Result<(), Error> {
    let keys: Vec<RowKey> = (0..rng.usize(..6)).map(|_| key(rng)).collect();
    let tests: Vec<Test> = (0..rng.usize(..3)).map(|_| test(rng)).collect();
    let mut expected = memory.rows(table, &keys, &tests).await?;
    let found = postgres.rows(table, &keys, &tests).await;
    let mut found = found.map_err(|error| format!("{}: {keys:?}, {tests:?}", told(&error)))?;
    for rows in [&mut expected, &mut found] {
        rows.sort_by_key(|row| ALL.key_of(row));
    }
    expected.dedup();
    assert_eq!(expected, found, "{keys:?}, {tests:?}");

    let select = select(rng);
    let expected = memory.select(ALL, table.version, &select).await?.expect("there is a table");
    let found = postgres.select(ALL, table.version, &select).await;
    let found = found.map_err(|error| format!("{}: {select:?}", told(&error)))?;
    assert_eq!(Some(&expected), found.as_ref(), "{select:?}");
    assert_eq!(
        memory.count(ALL, table.version, &select.tests).await?,
        postgres.count(ALL, table.version, &select.tests).await?,
        "{select:?}"
    );
    // The same in pages.
    let size = rng.u64(1..8);
    let (mut page, mut paged) = (select.clone().limit(size), Vec::new());
    loop {
        let rows = postgres.select(ALL, table.version, &page).await?.expect("there is a table");
        let Some(last) = rows.last() else { break };
        page = page.after(last);
        paged.extend(rows);
    }
    assert_eq!(expected, paged, "in pages of {size}: {select:?}");
    Ok(())
}
