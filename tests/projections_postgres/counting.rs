//! A projection written by hand: how many accounts each owner has.

use annals::prelude::*;
use annals::projection::{EventHandler, On, Route, RowError, Source};
use annals::read_model::{ColumnError, ColumnKind, ColumnType, ReadModel, Row, Table, TableColumn};
use annals::{
    Append, EventContext, EventStore, Expected, NewEvent, Payload, Projection, Receipt,
    RecordedEvent, StreamId, Subject,
};
use annals_postgres::PostgresStore;
use serde::{Deserialize, Serialize};

use crate::Error;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "CountedOpened")]
pub struct Opened {
    pub owner: String,
}

impl Opened {
    pub const NAME: &str = "CountedOpened";
}

#[derive(Debug, Clone, PartialEq)]
pub struct Total {
    pub owner: String,
    pub accounts: i64,
}

impl Subject for Total {
    type Key = String;
}

impl ReadModel for Total {
    const TABLE: &'static Table = &Table::new(
        "totals",
        &[
            TableColumn::new("owner", ColumnKind::Text, false),
            TableColumn::new("accounts", ColumnKind::BigInt, false),
        ],
        &[0],
    );

    fn key(&self) -> String {
        self.owner.clone()
    }

    fn to_row(&self) -> Result<Row, ColumnError> {
        Ok(Row(vec![self.owner.to_value()?, self.accounts.to_value()?]))
    }

    fn from_row(row: Row) -> Result<Self, ColumnError> {
        let [owner, accounts] = Self::columns(row)?;
        Ok(Self { owner: String::from_value(owner)?, accounts: i64::from_value(accounts)? })
    }
}

impl Projection for Total {
    const NAME: &'static str = "totals";
    /// Each event is a batch.
    const BATCH: Option<usize> = Some(1);

    fn handlers() -> Vec<EventHandler<Self>> {
        vec![EventHandler::of::<Opened>()]
    }
}

impl On<Opened> for Total {
    fn source() -> Source<Self> {
        Source::any()
    }

    fn route(event: &Opened, _: &RecordedEvent) -> Result<Route<String>, RowError> {
        Ok(Route::One(event.owner.clone()))
    }

    fn step(
        row: &mut Option<Self>,
        event: &Opened,
        _: &EventContext<Self>,
    ) -> Result<(), RowError> {
        let accounts = row.as_ref().map_or(0, |row| row.accounts) + 1;
        *row = Some(Self { owner: event.owner.clone(), accounts });
        Ok(())
    }
}

/// Opens so many accounts of Ada's.
pub async fn open(store: &PostgresStore, accounts: usize) -> Result<Receipt, Error> {
    let event = || {
        let data = Payload::new(r#"{"owner":"ada"}"#);
        NewEvent::new(uuid::Uuid::now_v7(), Opened::NAME, 1, data)
    };
    let stream = StreamId::new("account", uuid::Uuid::now_v7().to_string());
    let events = (0..accounts).map(|_| event()).collect();
    let mut receipts = store.append(vec![Append::new(stream, Expected::NoStream, events)]).await?;
    Ok(receipts.remove(0))
}
