//! What is written down of a storm, without a judgement.

use std::collections::HashSet;

use annals::{
    Conflict, Expected, Receipt, RecordedEvent, StoreError, StreamId, Timestamp, WriteError,
};
use uuid::Uuid;

/// All that is known of a storm once it is over.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// What writers sent, and what they were told.
    pub calls: Vec<Call>,
    /// What readers at the tail saw.
    pub readings: Vec<Reading>,
    /// What the owners of one durable subscription saw, one after the other.
    pub sessions: Vec<Session>,
    /// The log, read from its beginning after the end.
    pub log: Vec<Entry>,
    /// Each stream, read after the end.
    pub streams: Vec<(StreamId, Vec<Entry>)>,
    /// What is kept of each key that a call claimed, looked up after the end.
    pub keys: Vec<(StreamId, String, Option<Receipt>)>,
    /// The rows that are there, of those that calls wrote.
    pub rows: HashSet<String>,
}

/// What one writer sent, once or several times, always with the same event ids.
#[derive(Debug, Clone)]
pub struct Call {
    pub writer: usize,
    pub sent: Vec<Sent>,
    /// The key of the row that it wrote together with its events, if it was a unit of work.
    pub row: Option<String>,
    /// What it was told, one answer for each time that it was sent.
    pub told: Vec<Told>,
}

/// An append to one stream.
#[derive(Debug, Clone)]
pub struct Sent {
    pub stream_id: StreamId,
    pub expected: Expected,
    pub events: Vec<Uuid>,
    pub key: Option<String>,
}

/// What a writer was told.
#[derive(Debug, Clone)]
pub enum Told {
    Stored(Vec<Receipt>),
    Conflict(Conflict),
    KeyUsed {
        stream_id: StreamId,
        key: String,
        receipt: Receipt,
    },
    /// Nothing is stored, the store says.
    Failed(String),
    /// The store does not know, or the writer did not wait for the answer.
    Unknown(String),
    /// No answer came in a time in which any store would answer.
    Silence,
}

/// What one reader saw of the log, in the order in which it saw it.
#[derive(Debug, Clone)]
pub struct Reading {
    pub reader: String,
    /// It saw what lies after this position.
    pub from: u64,
    pub seen: Vec<Entry>,
    /// It was told that it has seen all up to this position.
    pub reached: u64,
}

/// What one owner of a durable subscription saw and acknowledged.
#[derive(Debug, Clone)]
pub struct Session {
    /// It saw what lies after where it began. Where it is, is where its last event was.
    pub reading: Reading,
    /// When it asked for the subscription, as a count of what happened before.
    pub asked: u64,
    /// The positions that it acknowledged, or tried to.
    pub acks: Vec<Ack>,
}

/// An acknowledgement of all events up to a position.
#[derive(Debug, Clone, Copy)]
pub struct Ack {
    pub position: u64,
    /// When the answer came, by the same count; `None` if it was a failure, or was not waited for.
    pub accepted: Option<u64>,
}

/// An event, as far as its place is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub position: u64,
    pub id: Uuid,
    pub stream_id: StreamId,
    pub version: u64,
    pub recorded_at: Timestamp,
}

impl Call {
    pub fn events(&self) -> impl Iterator<Item = Uuid> {
        self.sent.iter().flat_map(|sent| sent.events.iter().copied())
    }
}

impl From<&RecordedEvent> for Entry {
    fn from(event: &RecordedEvent) -> Self {
        Self {
            position: event.position.get(),
            id: event.id,
            stream_id: event.stream_id.clone(),
            version: event.stream_version,
            recorded_at: event.recorded_at,
        }
    }
}

impl From<Result<Vec<Receipt>, WriteError>> for Told {
    fn from(answer: Result<Vec<Receipt>, WriteError>) -> Self {
        match answer {
            Ok(receipts) => Self::Stored(receipts),
            Err(WriteError::Conflict(conflict)) => Self::Conflict(conflict),
            Err(WriteError::KeyUsed { stream_id, key, entry }) => {
                Self::KeyUsed { stream_id, key, receipt: entry.receipt }
            }
            Err(
                WriteError::UnknownOutcome { source, .. } | WriteError::UnknownCommit { source },
            ) => Self::Unknown(chain(&source)),
            Err(WriteError::Store(error)) => Self::Failed(chain(&error)),
            Err(other) => Self::Failed(other.to_string()),
        }
    }
}

/// An error with its causes, on one line.
fn chain(error: &StoreError) -> String {
    let mut line = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line
}
