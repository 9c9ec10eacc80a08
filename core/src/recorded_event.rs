//! Events as a store keeps them.

use std::borrow::Cow;
use std::sync::Arc;

use uuid::Uuid;

use crate::codec::Payload;
use crate::metadata::Metadata;
use crate::position::Position;
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// An event as a store keeps it, before it is decoded. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// What it says, as the store's codec sealed it.
    pub data: Payload,
    /// Who caused it, and why.
    pub metadata: Arc<Metadata>,
    /// The store's clock at the append.
    pub recorded_at: Timestamp,
}
