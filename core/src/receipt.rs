//! What a writer is told about what was stored.

use serde::{Deserialize, Serialize};

use crate::position::Position;
use crate::stream::{StreamHead, StreamId};
use crate::timestamp::Timestamp;

/// Where an append, or a command's, ended.
///
/// Of no events, it names the stream's present head; on a stream without any, version 0, [`Position::START`] and the
/// store's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The stream.
    pub stream_id: StreamId,
    /// The version of its last event.
    pub stream_version: u64,
    /// The position of its last event.
    pub position: Position,
    /// The instant of its last event, by the store's clock.
    pub recorded_at: Timestamp,
    /// How many events were stored.
    pub events: u64,
}

impl Receipt {
    /// Makes the receipt of `events` events that ended at `head`.
    pub const fn new(stream_id: StreamId, head: StreamHead, events: u64) -> Self {
        Self {
            stream_id,
            stream_version: head.version,
            position: head.position,
            recorded_at: head.recorded_at,
            events,
        }
    }

    /// Where the stream ended then.
    pub const fn head(&self) -> StreamHead {
        StreamHead::new(self.stream_version, self.position, self.recorded_at)
    }
}
