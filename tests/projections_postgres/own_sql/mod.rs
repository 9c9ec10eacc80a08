//! Projections that are SQL of one's own.

mod batches;
mod engine;
mod outages;
mod setup;

use std::time::Duration;

use annals::prelude::*;
use annals::{Append, EventStore, Expected, NewEvent, Payload};
use annals_postgres::{PostgresStore, RegisterSql as _, SqlContext, SqlProjection};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::Error;

const PATIENCE: Duration = Duration::from_mins(1);
const POLLING: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "OwnSqlOwned")]
struct Owned {
    owner: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "OwnSqlPaid")]
struct Paid {
    amount: i64,
}

/// What each owner has paid, over all accounts.
struct Ledger;

#[annals_postgres::sql_projection(name = "ledger", version = 1)]
impl Ledger {
    #[setup]
    async fn tables(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        make_ledger(connection).await
    }

    #[on]
    async fn owned(event: &Owned, cx: &mut SqlContext<'_>) -> Result<(), sqlx::Error> {
        own(event, cx).await
    }

    #[on]
    async fn paid(event: &Paid, cx: &mut SqlContext<'_>) -> Result<(), sqlx::Error> {
        pay(event, cx).await
    }
}

async fn make_ledger(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let tables = "CREATE TABLE accounts (account text PRIMARY KEY, owner text NOT NULL);
        CREATE TABLE payments (position bigint PRIMARY KEY, amount bigint NOT NULL);
        CREATE TABLE totals (owner text PRIMARY KEY,
            amount bigint NOT NULL CONSTRAINT enough CHECK (amount >= 0))";
    sqlx::raw_sql(tables).execute(connection).await.map(drop)
}

async fn own(event: &Owned, cx: &mut SqlContext<'_>) -> Result<(), sqlx::Error> {
    let account = cx.stream_id().to_string();
    let insert = "INSERT INTO accounts VALUES ($1, $2)
        ON CONFLICT (account) DO UPDATE SET owner = excluded.owner";
    let insert = sqlx::query(insert).bind(account).bind(&event.owner);
    insert.execute(cx.connection()).await.map(drop)
}

/// A second time, the payment's position is there already.
async fn pay(event: &Paid, cx: &mut SqlContext<'_>) -> Result<(), sqlx::Error> {
    let (account, position) = (cx.stream_id().to_string(), cx.position().get().cast_signed());
    let insert = sqlx::query("INSERT INTO payments VALUES ($1, $2)").bind(position);
    insert.bind(event.amount).execute(cx.connection()).await?;
    let add = "INSERT INTO totals SELECT owner, $2 FROM accounts WHERE account = $1
        ON CONFLICT (owner) DO UPDATE SET amount = totals.amount + $2";
    let add = sqlx::query(add).bind(account).bind(event.amount);
    add.execute(cx.connection()).await.map(drop)
}

fn owned(owner: &str) -> NewEvent {
    said("OwnSqlOwned", &format!(r#"{{"owner":"{owner}"}}"#))
}

fn paid(amount: i64) -> NewEvent {
    said("OwnSqlPaid", &format!(r#"{{"amount":{amount}}}"#))
}

fn said(name: &'static str, json: &str) -> NewEvent {
    NewEvent::new(uuid::Uuid::now_v7(), name, 1, Payload::new(json))
}

async fn record(store: &PostgresStore, id: &str, events: Vec<NewEvent>) -> Result<Receipt, Error> {
    let stream = StreamId::new("account", id);
    let append = Append::new(stream, Expected::Any, events);
    Ok(store.append(vec![append]).await?.remove(0))
}

/// An engine that runs `P`, and tries nothing again by itself.
async fn start<P: SqlProjection>(store: &PostgresStore) -> Result<ProjectionEngine, Error> {
    let builder = ProjectionEngine::builder(store.clone()).register_sql::<P>();
    let builder = builder.retry(RetryPolicy::never()).polling(POLLING);
    Ok(builder.start().await?)
}

async fn totals(store: &PostgresStore) -> Result<Vec<(String, i64)>, Error> {
    let query = "SELECT owner, amount FROM totals ORDER BY owner";
    Ok(sqlx::query_as(query).fetch_all(store.pool()).await?)
}

fn amounts(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected.iter().map(|(owner, amount)| ((*owner).to_owned(), *amount)).collect()
}

async fn count(store: &PostgresStore, table: &'static str) -> Result<i64, Error> {
    let query = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    Ok(sqlx::query_scalar(query).fetch_one(store.pool()).await?)
}
