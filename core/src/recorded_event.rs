//! Events as a store keeps them.

use std::borrow::Cow;
use std::sync::Arc;

use uuid::Uuid;

use crate::codec::Payload;
use crate::metadata::Metadata;
use crate::position::Position;
use crate::store::NewEvent;
use crate::stream::{StreamHead, StreamId};
use crate::timestamp::Timestamp;
use crate::upcast::Stored;

/// An event as a store keeps it, before it is decoded. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedEvent {
    /// The event's own id, made before it was stored.
    pub id: Uuid,
    /// The stream that it is in.
    pub stream_id: StreamId,
    /// Its place in the stream, from 1.
    pub stream_version: u64,
    /// Its place among all events.
    pub position: Position,
    /// The name under which it is stored.
    pub event_type: Cow<'static, str>,
    /// The version of its shape.
    pub schema_version: u32,
    /// The lowest version whose readers can read it.
    pub readable_from: u32,
    /// What it says, as the store's codec sealed it.
    pub data: Payload,
    /// Who caused it, and why.
    pub metadata: Arc<Metadata>,
    /// The store's clock at the append.
    pub recorded_at: Timestamp,
}

impl RecordedEvent {
    /// Makes the recorded event of a new one, which is the last of its stream: `head` is where the stream ends with it.
    pub fn new(event: NewEvent, stream_id: StreamId, head: StreamHead) -> Self {
        Self {
            id: event.id,
            stream_id,
            stream_version: head.version,
            position: head.position,
            event_type: event.event_type,
            schema_version: event.schema_version,
            readable_from: event.readable_from,
            data: event.data,
            metadata: event.metadata,
            recorded_at: head.recorded_at,
        }
    }

    /// What is needed to decode it, with its content as the store's codec opened it.
    #[inline]
    pub fn stored<'a>(&'a self, json: &'a str) -> Stored<'a> {
        Stored::new(&self.event_type, self.schema_version, json)
            .with_readable_from(self.readable_from)
    }
}
