//! The same work by hand: the best SQL through the same driver, on the very tables that Annals uses, with the same checks.

use std::time::Duration;

use futures::TryStreamExt;
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{PgPool, Row};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::domain::{Deposited, Saved};

/// An account by hand.
#[derive(Debug, Clone, Default)]
pub struct Balance {
    pub amount: u64,
    pub version: i64,
}

const READ: &str = "SELECT stream_version, event_type, data FROM annals.events WHERE stream_id = $1 ORDER BY stream_version";

/// The unique constraints check version and event id; a position is drawn for each event.
const APPEND: &str = "INSERT INTO annals.events (position, stream_id, stream_version, category, event_id, event_type,
    schema_version, readable_from, data, metadata, recorded_at)
    SELECT nextval('annals.positions'), e.stream_id, e.stream_version, 'tally', e.event_id, 'Deposited', 1, 1,
    e.data::json, e.metadata::json, clock_timestamp()
    FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::text[])
    AS e (stream_id, stream_version, event_id, data, metadata) RETURNING position";

/// The same for one event, without arrays.
const APPEND_ONE: &str = "INSERT INTO annals.events (position, stream_id, stream_version, category, event_id, event_type,
    schema_version, readable_from, data, metadata, recorded_at)
    VALUES (nextval('annals.positions'), $1, $2, 'tally', $3, 'Deposited', 1, 1, $4::json, $5::json, clock_timestamp())
    RETURNING position";

/// What a command's metadata comes to: a correlation, a causation and an instant.
fn metadata() -> String {
    let id = Uuid::now_v7();
    format!(
        r#"{{"correlation_id":"{id}","causation_id":"{id}","issued_at":"2026-03-01T12:00:00Z"}}"#
    )
}

pub async fn pool(url: &str, connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .connect(url)
        .await
        .expect("the server is there")
}

/// Reads, decodes and folds a stream: three columns, folded as they come.
pub async fn load(connection: &mut PgConnection, stream: &str) -> Balance {
    let mut rows = sqlx::query(READ).bind(stream).fetch(connection);
    let mut balance = Balance::default();
    while let Some(row) = rows.try_next().await.expect("read") {
        assert_eq!(row.get_unchecked::<&str, _>(1), "Deposited");
        let event: Deposited = serde_json::from_str(row.get_unchecked(2)).expect("JSON");
        balance.amount += event.amount;
        balance.version = row.get_unchecked(0);
    }
    balance
}

/// One row: a snapshot, decoded.
pub async fn load_snapshot(connection: &mut PgConnection, stream: &str) -> u64 {
    let row = sqlx::query(
        "SELECT stream_version, data FROM annals.snapshots WHERE stream_id = $1 AND snapshot_version = 1",
    )
    .bind(stream)
    .fetch_one(connection)
    .await
    .expect("a snapshot");
    let saved: Saved = serde_json::from_str(row.get_unchecked(1)).expect("JSON");
    saved.amount
}

/// One deposit in two round trips: load, append.
pub async fn deposit(connection: &mut PgConnection, stream: &str) {
    let balance = load(connection, stream).await;
    append(connection, stream, balance.version, 1).await;
}

/// One deposit in one round trip, of a writer that knows the state.
pub async fn append(connection: &mut PgConnection, stream: &str, version: i64, events: usize) {
    insert(connection, &[Deposit::new(stream, version, events)]).await;
}

/// Deposits to one stream.
pub struct Deposit {
    stream: String,
    version: i64,
    data: Vec<String>,
}

impl Deposit {
    fn new(stream: &str, version: i64, events: usize) -> Self {
        let data = serde_json::to_string(&Deposited { amount: 1 }).expect("JSON");
        Self { stream: stream.to_owned(), version, data: vec![data; events] }
    }
}

async fn insert(connection: &mut PgConnection, deposits: &[Deposit]) {
    if let [Deposit { stream, version, data }] = deposits
        && let [json] = &**data
    {
        return insert_one(connection, stream, version + 1, json).await;
    }
    let (mut streams, mut versions, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    let (mut data, mut metadatas) = (Vec::new(), Vec::new());
    let of_each: Vec<String> = deposits.iter().map(|_| metadata()).collect();
    for (deposit, metadata) in deposits.iter().zip(&of_each) {
        for (version, json) in (deposit.version + 1..).zip(&deposit.data) {
            streams.push(&*deposit.stream);
            versions.push(version);
            ids.push(Uuid::now_v7());
            data.push(&**json);
            metadatas.push(&**metadata);
        }
    }
    let rows = sqlx::query(APPEND)
        .bind(&streams)
        .bind(&versions)
        .bind(&ids)
        .bind(&data)
        .bind(&metadatas)
        .fetch_all(connection)
        .await
        .expect("append");
    assert_eq!(rows.len(), ids.len());
}

async fn insert_one(connection: &mut PgConnection, stream: &str, version: i64, json: &str) {
    let row = sqlx::query(APPEND_ONE)
        .bind(stream)
        .bind(version)
        .bind(Uuid::now_v7())
        .bind(json)
        .bind(metadata())
        .fetch_one(connection)
        .await
        .expect("append");
    assert!(row.get::<i64, _>(0) > 0);
}

/// A group commit by hand: what comes while one statement is on its way goes with the next.
#[derive(Clone)]
pub struct GroupCommit(mpsc::Sender<(Deposit, oneshot::Sender<()>)>);

impl GroupCommit {
    pub fn start(pool: &PgPool) -> Self {
        let (send, mut receive) = mpsc::channel::<(Deposit, oneshot::Sender<()>)>(1024);
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut connection = pool.acquire().await.expect("a connection");
            let mut batch = Vec::new();
            while receive.recv_many(&mut batch, 256).await > 0 {
                let (deposits, answers): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
                insert(&mut connection, &deposits).await;
                let answered = answers.len();
                for answer in answers {
                    let _ = answer.send(());
                }
                // Whoever was answered goes with the next one.
                let mut waiting = receive.len();
                let wanted = answered + waiting;
                while wanted > 1 && waiting < wanted {
                    tokio::task::yield_now().await;
                    let before = std::mem::replace(&mut waiting, receive.len());
                    if waiting <= before {
                        break;
                    }
                }
            }
        });
        Self(send)
    }

    pub async fn append(&self, stream: &str, version: i64) {
        self.enqueue(stream, version).await.await.expect("an answer");
    }

    /// Puts a deposit into the queue; the answer comes later.
    pub async fn enqueue(&self, stream: &str, version: i64) -> oneshot::Receiver<()> {
        let (answer, answered) = oneshot::channel();
        self.0.send((Deposit::new(stream, version, 1), answer)).await.expect("a writer");
        answered
    }
}

/// How long a reader waits for what another connection has just appended.
pub const POLL: Duration = Duration::from_millis(1);
