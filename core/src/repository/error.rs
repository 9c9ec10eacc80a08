//! What can go wrong while an aggregate is loaded.

use std::fmt;

use crate::aggregate::Misfit;
use crate::aggregate_id::IdError;
use crate::position::Position;
use crate::recorded_event::RecordedEvent;
use crate::store::StoreError;
use crate::stream::StreamId;

/// An aggregate that could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A text is not an id.
    #[error(transparent)]
    Id(#[from] IdError),
    /// An event cannot be read or does not fit; the loading stopped at it.
    #[error(transparent)]
    Event(#[from] EventError),
    /// A version was asked for that the stream has not reached.
    #[error("stream `{stream_id}` has not reached version {asked}: it is at version {actual}")]
    NoSuchVersion {
        /// The stream.
        stream_id: StreamId,
        /// The version that was asked for.
        asked: u64,
        /// The version of the last event.
        actual: u64,
    },
    /// A snapshot was asked for that cannot be made.
    #[error("snapshot of stream `{stream_id}`: {reason}")]
    Snapshot {
        /// The stream.
        stream_id: StreamId,
        /// Why it cannot be made.
        reason: String,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An event that stopped its reader: it cannot be read, or does not fit the state before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventError {
    stream_id: StreamId,
    stream_version: u64,
    position: Position,
    event_type: String,
    reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    Unknown { aggregate: &'static str },
    Unreadable(String),
    Misfit(Misfit),
    Gap { expected: u64 },
}

impl EventError {
    pub(crate) fn new(event: &RecordedEvent, reason: Reason) -> Self {
        Self {
            stream_id: event.stream_id.clone(),
            stream_version: event.stream_version,
            position: event.position,
            event_type: event.event_type.to_string(),
            reason,
        }
    }

    /// The stream of the event.
    pub fn stream_id(&self) -> &StreamId {
        &self.stream_id
    }

    /// The event's place in its stream.
    pub fn stream_version(&self) -> u64 {
        self.stream_version
    }

    /// The event's place among all events.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The name under which the event is stored.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// Whether the aggregate does not list the event.
    pub fn is_unknown(&self) -> bool {
        matches!(self.reason, Reason::Unknown { .. })
    }

    /// Whether the event's content or version cannot be read.
    pub fn is_unreadable(&self) -> bool {
        matches!(self.reason, Reason::Unreadable(_))
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream_id, stream_version, position, event_type, reason } = self;
        write!(
            f,
            "event `{event_type}` at version {stream_version} of stream `{stream_id}`, position {position}: "
        )?;
        match reason {
            Reason::Unknown { aggregate } => write!(
                f,
                "`{aggregate}` does not list it; add it to `events(…)`, or to `ignore(…)` if it may be passed over"
            ),
            Reason::Unreadable(why) => f.write_str(why),
            Reason::Misfit(Misfit::Exists) => f.write_str("it creates, but the state exists"),
            Reason::Misfit(Misfit::Missing) => {
                f.write_str("it changes a state, but none exists before it")
            }
            Reason::Gap { expected } => write!(f, "the version before it is missing: {expected}"),
        }
    }
}

impl std::error::Error for EventError {}
