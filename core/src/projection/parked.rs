//! Events that wait for their row, and those that are passed over.

use crate::position::Position;
use crate::store::CheckpointId;
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// An event that waits for its row: it failed, or an earlier one for the same key did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedEvent {
    /// The reader that parked it.
    pub reader: CheckpointId,
    /// The key of its row, as text.
    pub key: String,
    /// The event's position.
    pub position: Position,
    /// The event's stream.
    pub stream_id: StreamId,
    /// The stored name of the event.
    pub event_type: String,
    /// Why it failed; empty if it waits for an earlier one.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was parked first.
    pub parked_at: Timestamp,
    /// When it is tried again by itself; `None` if it waits for a person or for an earlier event.
    pub retry_at: Option<Timestamp>,
}

/// An event that a projection passes over, since a person said so: it could not be applied, and stopped the projection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedEvent {
    /// The event's position.
    pub position: Position,
    /// The event's stream.
    pub stream_id: StreamId,
    /// The stored name of the event.
    pub event_type: String,
    /// Why it could not be applied.
    pub error: String,
    /// When it was skipped.
    pub skipped_at: Timestamp,
}

/// A skipped event is kept as one that is parked, of a reader that is not of any generation: a rebuild does not forget it.
impl From<ParkedEvent> for SkippedEvent {
    fn from(event: ParkedEvent) -> Self {
        let ParkedEvent { position, stream_id, event_type, error, parked_at, .. } = event;
        Self { position, stream_id, event_type, error, skipped_at: parked_at }
    }
}
