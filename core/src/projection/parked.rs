//! Events that wait for their row.

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
