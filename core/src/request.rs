//! What a person asks of whoever runs a projection or a process, in whatever program: kept in the store until it is done.
//!
//! It is kept as an event that is parked for a reader which reads nothing: every store that keeps what is parked keeps it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::position::Position;
use crate::projection::ParkedEvent;
use crate::store::{CheckpointId, ReadModelStore, RowChange, StoreError};
use crate::timestamp::Timestamp;

/// What is asked of the owner of a reader.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Request {
    /// The reader, as its owner holds it.
    pub(crate) reader: CheckpointId,
    pub(crate) wish: Wish,
    pub(crate) asked_at: Timestamp,
    /// From when on nobody does it any more: whoever asked is gone, and would be surprised.
    pub(crate) until: Timestamp,
    /// Whether whoever came to it found nothing to do any more: that is told to whoever asked.
    pub(crate) is_vain: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wish {
    /// To try again what is parked for a key.
    Retry { key: String },
    /// To give up what is parked for a key.
    Drop { key: String },
    /// To go on after a stop; each time that it is asked is another.
    Resume { asked_at: Timestamp },
    /// To pass over an event at which it has stopped, and to go on.
    Skip { position: Position },
    /// To have other shards; each time that it is asked is another.
    Shards { shards: u32, asked_at: Timestamp },
}

/// How much longer than somebody waits for it a request counts: clocks differ, and who is at it comes to its end.
const GRACE: Duration = Duration::from_mins(1);

/// What is kept with a request of which nothing was to be done.
const VAIN: &str = "there was nothing to do";

/// Under which requests are kept.
const NAME: &str = "annals/requests";

fn keeper() -> CheckpointId {
    CheckpointId { name: NAME.to_owned(), version: 1, shard: 0 }
}

impl Request {
    /// One that is asked now.
    pub(crate) fn new(reader: CheckpointId, wish: Wish) -> Self {
        let asked_at = Timestamp::now();
        Self { reader, wish, asked_at, until: asked_at + GRACE, is_vain: false }
    }

    /// The same, of somebody who waits for so long from now on.
    #[cfg(feature = "cli")]
    pub(crate) fn waited_for(&self, patience: Duration) -> Self {
        Self { until: Timestamp::now() + patience + GRACE, ..self.clone() }
    }

    /// Whether it is too late for it: whoever asked was interrupted, and has not taken it back. A wish for other shards stays.
    pub(crate) fn is_over(&self) -> bool {
        !matches!(self.wish, Wish::Shards { .. }) && self.until < Timestamp::now()
    }

    /// Whether it is the one that somebody asked.
    pub(crate) fn is_same(&self, asked: &Self) -> bool {
        self.reader == asked.reader && self.wish == asked.wish
    }

    /// The change that keeps it.
    fn kept(&self) -> RowChange {
        RowChange::Park(ParkedEvent {
            reader: keeper(),
            key: self.key(),
            position: Position::START,
            stream_id: crate::stream::StreamId::new("annals/requests", "nothing"),
            event_type: NAME.to_owned(),
            error: if self.is_vain { VAIN.to_owned() } else { String::new() },
            attempts: 0,
            parked_at: self.asked_at,
            retry_at: Some(self.until),
        })
    }

    /// The change that keeps that there was nothing to do: whoever asked takes it back, or whoever comes to it when it is over.
    pub(crate) fn in_vain(&self) -> RowChange {
        Self { is_vain: true, ..self.clone() }.kept()
    }

    /// The change that takes it back, since it is done.
    pub(crate) fn done(&self) -> RowChange {
        RowChange::Unpark { reader: keeper(), key: self.key(), position: Position::START }
    }

    /// What tells it from all others.
    fn key(&self) -> String {
        let CheckpointId { name, version, shard } = &self.reader;
        // Cannot fail: names and numbers only.
        serde_json::to_string(&(name, version, shard, &self.wish)).unwrap_or_default()
    }

    fn read(kept: &ParkedEvent) -> Option<Self> {
        // What a newer release asks for, that one does.
        let (name, version, shard, wish) = serde_json::from_str(&kept.key).ok()?;
        let asked_at = kept.parked_at;
        // An older release says nothing of it.
        let until = kept.retry_at.unwrap_or(asked_at + GRACE);
        let (reader, is_vain) = (CheckpointId { name, version, shard }, !kept.error.is_empty());
        Some(Self { reader, wish, asked_at, until, is_vain })
    }
}

/// What is asked of all readers, in the order in which it was asked.
pub(crate) async fn requests<S: ReadModelStore + ?Sized>(
    store: &S,
) -> Result<Vec<Request>, StoreError> {
    let kept = store.parked(&keeper(), None).await?;
    let mut requests: Vec<Request> = kept.iter().filter_map(Request::read).collect();
    requests.sort_by_key(|request| request.asked_at);
    Ok(requests)
}

/// Keeps requests; those that are kept already count for as long as the new ones.
pub(crate) async fn ask<S: ReadModelStore + ?Sized>(
    store: &S,
    requests: &[Request],
) -> Result<(), crate::store::WriteError> {
    change(store, requests.iter().map(Request::kept).collect()).await
}

/// Takes requests back.
pub(crate) async fn take_back<S: ReadModelStore + ?Sized>(
    store: &S,
    requests: &[Request],
) -> Result<(), crate::store::WriteError> {
    change(store, requests.iter().map(Request::done).collect()).await
}

/// Writes under a lease that is held no longer than that takes: one person after the other.
async fn change<S: ReadModelStore + ?Sized>(
    store: &S,
    rows: Vec<RowChange>,
) -> Result<(), crate::store::WriteError> {
    use crate::store::CheckpointChange;

    const LIFETIME: Duration = Duration::from_secs(5);
    let owner = uuid::Uuid::now_v7().to_string();
    let fence = loop {
        match store.claim_lease(&keeper(), &owner, LIFETIME).await? {
            Some(fence) => break fence,
            // Whoever has it gives it up at once, or it runs out.
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let change = CheckpointChange { fence: fence.clone(), position: Position::START };
    let written = store.write_rows(rows, change).await;
    store.release_lease(&fence).await?;
    written
}
