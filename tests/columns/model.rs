//! A row with a column of each type.

use annals::prelude::*;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime, PrimitiveDateTime};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct Happened;

#[derive(Debug, Clone, PartialEq, Eq, ReadModel)]
#[read_model(table = "kept")]
pub(crate) struct Kept {
    #[read_model(key)]
    pub(crate) price: Decimal,
    #[read_model(key)]
    pub(crate) day: NaiveDate,
    #[read_model(index)]
    pub(crate) rebate: Option<Decimal>,
    #[read_model(index)]
    pub(crate) utc: DateTime<Utc>,
    #[read_model(index)]
    pub(crate) naive: NaiveDateTime,
    #[read_model(index)]
    pub(crate) offset: Option<OffsetDateTime>,
    #[read_model(index)]
    pub(crate) primitive: PrimitiveDateTime,
    #[read_model(index)]
    pub(crate) date: Option<Date>,
}

#[projection]
impl Kept {
    #[on(key = |_| (Decimal::ZERO, NaiveDate::default()))]
    fn happened(&mut self, _: &Happened) {}
}

impl Kept {
    pub(crate) fn at_price(price: Decimal) -> Self {
        Self {
            price,
            day: NaiveDate::default(),
            rebate: None,
            utc: DateTime::UNIX_EPOCH,
            naive: NaiveDateTime::default(),
            offset: None,
            primitive: PrimitiveDateTime::new(Date::MAX, time::Time::MIDNIGHT),
            date: None,
        }
    }
}
