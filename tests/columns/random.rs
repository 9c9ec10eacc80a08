//! The same changes and questions, at random, to the store in memory, to PostgreSQL, and to a map of rows that are compared
//! as their types compare.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use annals::prelude::*;
use annals::read_model::{Column, ColumnType, IntoColumn, Rows};
use chrono::{DateTime, NaiveDate};
use fastrand::Rng;
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime, PrimitiveDateTime};

use crate::model::Kept;
use crate::{Error, Writer, fresh};

const STEPS: usize = 250;

/// Few numbers, so that many rows share one; some are the same but for zeros.
fn any_number(rng: &mut Rng) -> Decimal {
    let scaled = |number, scale| Decimal::from_i128_with_scale(number, scale);
    match rng.u8(..10) {
        0 => Decimal::MAX,
        1 => Decimal::MIN,
        2 => scaled(1, 28),
        3 => scaled(-1, 28),
        4 => scaled(0, 28),
        5 => scaled(0, 2),
        6 => scaled(rng.i128(-12..12), 0),
        7 => scaled(rng.i128(-12..12) * 10, 1),
        8 => scaled(rng.i128(-120..120), 1),
        _ => scaled(rng.i128(-120..120) * 1_000, 5),
    }
}

/// Microseconds between 4713 BC and 9999.
fn micros(rng: &mut Rng) -> i64 {
    match rng.u8(..6) {
        0 => -210_866_803_200_000_000,
        1 => 253_402_207_200_999_999,
        _ => rng.i64(-3..=3) * 43_200_000_001,
    }
}

fn day(rng: &mut Rng) -> i32 {
    match rng.u8(..5) {
        0 => -2_440_588,
        1 => 2_932_896,
        _ => rng.i32(-2..=2),
    }
}

fn some<T>(rng: &mut Rng, value: T) -> Option<T> {
    (rng.u8(..4) > 0).then_some(value)
}

fn offset(rng: &mut Rng) -> OffsetDateTime {
    let nanos = i128::from(micros(rng)) * 1_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).expect("it is before 9999")
}

fn row(rng: &mut Rng) -> Kept {
    let (rebate, at, date) = (any_number(rng), offset(rng), day(rng));
    let primitive = offset(rng);
    Kept {
        price: any_number(rng),
        day: NaiveDate::from_epoch_days(rng.i32(-1..=1)).expect("a day"),
        rebate: some(rng, rebate),
        utc: DateTime::from_timestamp_micros(micros(rng)).expect("an instant"),
        naive: DateTime::from_timestamp_micros(micros(rng)).expect("an instant").naive_utc(),
        offset: some(rng, at),
        primitive: PrimitiveDateTime::new(primitive.date(), primitive.time()),
        date: some(rng, Date::from_julian_day(2_440_588 + date).expect("a day")),
    }
}

type Compare = Box<dyn Fn(&Kept, &Kept) -> Ordering>;

/// A question, and which rows answer it in which order, as their types compare.
struct Question {
    ask: Box<dyn Fn(Rows<Kept>) -> Rows<Kept>>,
    takes: Box<dyn Fn(&Kept) -> bool>,
    compare: Compare,
}

fn question(rng: &mut Rng) -> Question {
    let asked = row(rng);
    match rng.u8(..8) {
        0 => about(rng, Kept::PRICE, |row| Some(row.price), asked.price),
        1 => about(rng, Kept::DAY, |row| Some(row.day), asked.day),
        2 => about(rng, Kept::REBATE, |row| row.rebate, asked.rebate.unwrap_or_default()),
        3 => about(rng, Kept::UTC, |row| Some(row.utc), asked.utc),
        4 => about(rng, Kept::NAIVE, |row| Some(row.naive), asked.naive),
        5 => {
            let at = asked.offset.unwrap_or(OffsetDateTime::UNIX_EPOCH);
            about(rng, Kept::OFFSET, |row| row.offset, at)
        }
        6 => about(rng, Kept::PRIMITIVE, |row| Some(row.primitive), asked.primitive),
        _ => about(rng, Kept::DATE, |row| row.date, asked.date.unwrap_or(Date::MIN)),
    }
}

fn about<C: ColumnType, T: IntoColumn<C> + Ord + Copy + 'static>(
    rng: &mut Rng,
    column: Column<Kept, C>,
    of: fn(&Kept) -> Option<T>,
    value: T,
) -> Question {
    let (comparison, descending) = (rng.u8(..6), rng.bool());
    let ask = move |rows: Rows<Kept>| {
        let condition = match comparison {
            0 => column.eq(value),
            1 => column.lt(value),
            2 => column.le(value),
            3 => column.gt(value),
            4 => column.ge(value),
            _ => column.in_([value]),
        };
        rows.filter(condition).order_by(if descending { column.desc() } else { column.asc() })
    };
    let takes = move |row: &Kept| {
        of(row).is_some_and(|found| match comparison {
            1 => found < value,
            2 => found <= value,
            3 => found > value,
            4 => found >= value,
            _ => found == value,
        })
    };
    let compare = move |one: &Kept, two: &Kept| {
        let ordering = of(one).cmp(&of(two));
        if descending { ordering.reverse() } else { ordering }
    };
    Question { ask: Box::new(ask), takes: Box::new(takes), compare: Box::new(compare) }
}

#[tokio::test]
async fn rows_are_found_and_ordered_as_their_types_compare() -> Result<(), Error> {
    let (postgres, _database) = fresh().await?;
    let mut in_memory = Writer::of::<Kept>(MemoryStore::new()).await?;
    let mut in_postgres = Writer::of::<Kept>(postgres).await?;
    let (mut rng, mut rows) = (Rng::with_seed(7), BTreeMap::new());
    let mut answers = 0;
    for step in 0..STEPS {
        let row = row(&mut rng);
        if rng.u8(..4) == 0 {
            rows.remove(&(row.price, row.day));
            in_memory.delete(&row).await?;
            in_postgres.delete(&row).await?;
        } else {
            in_memory.put(&row).await?;
            in_postgres.put(&row).await?;
            // A map keeps the key that it had.
            rows.remove(&(row.price, row.day));
            rows.insert((row.price, row.day), row);
        }
        let Question { ask, takes, compare } = question(&mut rng);
        let mut expected: Vec<&Kept> = rows.values().filter(|row| takes(row)).collect();
        expected.sort_by(|one, two| compare(one, two));
        let expected = shown(expected);
        answers += expected.len();
        let size = rng.u64(1..6);
        for models in
            [ReadModels::new(in_memory.store.clone()), ReadModels::new(in_postgres.store.clone())]
        {
            let found = ask(models.query::<Kept>()).fetch().await?;
            assert_eq!(shown(&found), expected, "step {step}: {models:?}");
            let mut paged: Vec<Kept> = Vec::new();
            loop {
                let page = ask(models.query::<Kept>()).limit(size);
                let page = match paged.last() {
                    Some(last) => page.after(last).fetch().await?,
                    None => page.fetch().await?,
                };
                if page.is_empty() {
                    break;
                }
                paged.extend(page);
            }
            assert_eq!(shown(&paged), expected, "step {step}, in pages of {size}");
        }
    }
    assert!(answers > STEPS, "{answers} rows are too few to tell anything");
    Ok(())
}

fn shown<'a>(rows: impl IntoIterator<Item = &'a Kept>) -> Vec<String> {
    // `==` of decimals does not see zeros at the end.
    rows.into_iter().map(|row| format!("{row:?}")).collect()
}
