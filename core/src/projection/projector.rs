//! What writes a projection's batches: rows by annotated methods, or SQL of a user's own.

use std::collections::HashSet;
use std::fmt;
use std::sync::LazyLock;

use async_trait::async_trait;

use super::{CatalogEntry, ModelDefinition, OnError, ParkedEvent, Refold, fold};
use crate::bus::RetryPolicy;
use crate::codec::{DecodeError, PayloadCodec};
use crate::position::Position;
use crate::recorded_event::RecordedEvent;
use crate::shards::Part;
use crate::store::{
    CheckpointChange, CheckpointId, EventFilter, ReadModelStore, StoreError, WriteError,
};
use crate::timestamp::Timestamp;
use crate::upcast::Stored;

/// Writes what becomes of events, with the checkpoint, in one transaction. The engine runs it: it reads, retries, and holds the
/// lease.
#[async_trait]
pub trait Projector: Send + Sync + 'static {
    /// What it writes, and from which events.
    fn definition(&self) -> &ModelDefinition;

    /// The events that it takes.
    fn filter(&self) -> EventFilter;

    /// What becomes of an event that fails.
    fn on_error(&self) -> OnError {
        OnError::Park
    }

    /// How many events a batch has at most, if it says so.
    fn batch(&self) -> Option<usize> {
        None
    }

    /// Whether it goes by [`Batch::part`], so that several shards of it can run at once; if not, there is one.
    fn divides(&self) -> bool {
        false
    }

    /// Begins to fold one row anew, by its key as text; `None` if it has no rows by keys.
    fn refold(&self, key: &str) -> Option<Box<dyn Refold>> {
        let _ = key;
        None
    }

    /// Makes what it writes to, if it is missing.
    ///
    /// # Errors
    ///
    /// As [`ReadModelStore::prepare`].
    async fn prepare(&self, store: &dyn ReadModelStore) -> Result<CatalogEntry, StoreError> {
        store.prepare(self.definition()).await
    }

    /// Applies a batch and moves the checkpoint.
    ///
    /// # Errors
    ///
    /// When nothing of it was applied.
    async fn apply(&self, batch: &Batch<'_>) -> Result<BatchDone, BatchError>;
}

/// Events that are applied together.
#[non_exhaustive]
pub struct Batch<'a> {
    /// Where the rows are.
    pub store: &'a dyn ReadModelStore,
    /// What opens the events' payloads.
    pub codec: &'a dyn PayloadCodec,
    /// Which generation of the projection is written.
    pub generation: u32,
    /// The events, in the order of the log.
    pub events: &'a [RecordedEvent],
    /// The checkpoint's move.
    pub checkpoint: CheckpointChange,
    /// What of the events is to be done: those for the keys of one shard, but those that a key is past.
    pub part: &'a Part,
    /// The keys, as text, for which events wait: for those, these wait, too.
    pub waiting: &'a HashSet<String>,
    /// The key for which parked events are tried again: for that one only, they are applied.
    pub only: Option<&'a str>,
    /// How often these events were tried already.
    pub attempts: u32,
    /// When a failed event is tried again.
    pub retry: RetryPolicy,
    /// The present instant.
    pub now: Timestamp,
}

impl<'a> Batch<'a> {
    /// Makes a batch for which nothing waits.
    pub fn new(
        store: &'a dyn ReadModelStore,
        codec: &'a dyn PayloadCodec,
        generation: u32,
        events: &'a [RecordedEvent],
        checkpoint: CheckpointChange,
    ) -> Self {
        static NOBODY: LazyLock<HashSet<String>> = LazyLock::new(HashSet::new);
        static ALL: Part = Part::WHOLE;
        Self {
            store,
            codec,
            generation,
            events,
            checkpoint,
            part: &ALL,
            waiting: &NOBODY,
            only: None,
            attempts: 0,
            retry: RetryPolicy::never(),
            now: Timestamp::now(),
        }
    }

    /// Has the batch's events wait for the keys, as text, for which events wait.
    #[must_use]
    pub const fn with_waiting(mut self, keys: &'a HashSet<String>) -> Self {
        self.waiting = keys;
        self
    }

    /// The same batch for one key only, for which its events are parked.
    pub(super) fn only<'b>(&'b self, key: &'b str) -> Batch<'b> {
        let Self { store, codec, generation, events, part, waiting, attempts, retry, now, .. } =
            *self;
        let (checkpoint, only) = (self.checkpoint.clone(), Some(key));
        Batch {
            store,
            codec,
            generation,
            events,
            checkpoint,
            part,
            waiting,
            only,
            attempts,
            retry,
            now,
        }
    }

    /// Reads an event of the batch; a panic of its type is an error.
    ///
    /// # Errors
    ///
    /// When the codec does not open what it says, or `decode` does not read it.
    pub fn read<T>(
        &self,
        event: &RecordedEvent,
        decode: impl FnOnce(Stored<'_>) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        fold::read(event, self.codec, decode)
    }

    /// The reader for which events are parked: of all shards one, so that they stay where they are when its number changes.
    pub fn reader(&self) -> CheckpointId {
        CheckpointId { shard: 0, ..self.checkpoint.fence.id.clone() }
    }

    /// Whether an event is to be done for a key, by its text; a parked one is done for its key wherever its shard is.
    pub fn takes(&self, key: &str, position: Position) -> bool {
        match self.only {
            Some(only) => only == key,
            None => self.part.takes(key, position),
        }
    }

    /// Parks an event that failed, to be tried again when the policy says.
    pub fn failed(&self, event: &RecordedEvent, key: String, error: String) -> ParkedEvent {
        let attempts = self.attempts + 1;
        let retry_at = self.retry.pause_before(attempts).map(|pause| self.now + pause);
        ParkedEvent { error, attempts, retry_at, ..self.waits(event, key) }
    }

    /// Parks an event behind another for the same key.
    pub fn waits(&self, event: &RecordedEvent, key: String) -> ParkedEvent {
        ParkedEvent {
            reader: self.reader(),
            key,
            position: event.position,
            stream_id: event.stream_id.clone(),
            event_type: event.event_type.clone().into_owned(),
            error: String::new(),
            attempts: 0,
            parked_at: self.now,
            retry_at: None,
        }
    }
}

impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("generation", &self.generation)
            .field("events", &self.events.len())
            .field("checkpoint", &self.checkpoint)
            .finish_non_exhaustive()
    }
}

/// What a batch has done.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct BatchDone {
    /// Events that were parked, those that wait behind others included.
    pub parked: Vec<ParkedEvent>,
    /// How many rows were written or deleted.
    pub rows: usize,
}

/// Why a batch was not applied. Nothing of it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// An event cannot be read, or the key of its row cannot be told.
    #[error("an event cannot be read")]
    Unreadable {
        /// Which of the batch's events.
        index: usize,
        /// Why.
        source: DecodeError,
    },
    /// An event failed, and the projection is to stop.
    #[error("row `{key}`: {error}")]
    Failed {
        /// Which of the batch's events.
        index: usize,
        /// The key of its row.
        key: String,
        /// Why.
        error: String,
    },
    /// Some event of the batch cannot be applied, but which is not known: they are applied one by one.
    #[error("{0}")]
    OneOf(String),
    /// The rows could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The rows could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
