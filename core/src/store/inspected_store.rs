//! The port of stores that an operator's tools look into: what nobody needs to run a program, and a person needs to keep one
//! running.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{CheckpointId, SnapshotStore, StoreError, UnitOfWorkStore};
use crate::position::Position;
use crate::projection::ParkedEvent;
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// Tells of streams, readers and snapshots what an operator asks for. Each answer is bounded, however long the log is.
#[async_trait]
pub trait InspectedStore: UnitOfWorkStore + SnapshotStore {
    /// Lists streams in the order of their names: those after `after`, if it is given.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn stream_heads(
        &self,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<Vec<StreamSize>, StoreError>;

    /// Lists the streams that have grown most by the events after a position: those with the most events first, then in the
    /// order of their names.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn grown_streams(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<StreamSize>, StoreError>;

    /// Looks for streams whose versions are not 1, 2, 3 and so on: among the streams after `after`, in the order of their
    /// names, and no more of them than `limit`.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn check_streams(
        &self,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<StreamsChecked, StoreError>;

    /// Lists all readers that have a checkpoint or a lease, in the order of their ids.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn readers(&self) -> Result<Vec<ReaderSeen>, StoreError>;

    /// Lists the keys for which events are parked, of readers whose names begin with a prefix; those first that were parked
    /// first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn parked_keys(&self, prefix: &str, limit: usize) -> Result<Vec<ParkedKey>, StoreError>;

    /// Lists snapshots in the order of their streams' names and their versions: those after `after`, if it is given.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn snapshots(
        &self,
        after: Option<(&StreamId, u32)>,
        limit: usize,
    ) -> Result<Vec<SnapshotSeen>, StoreError>;

    /// Drops snapshots, and tells how many there were. The next load of each stream reads more events, and gives the same.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn drop_snapshots(&self, which: SnapshotsDropped) -> Result<u64, StoreError>;

    /// Tells how much room the store takes, by its parts, the largest first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn sizes(&self) -> Result<Vec<PartSize>, StoreError>;
}

#[async_trait]
impl<S: InspectedStore + ?Sized> InspectedStore for Arc<S> {
    async fn stream_heads(
        &self,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<Vec<StreamSize>, StoreError> {
        (**self).stream_heads(after, limit).await
    }

    async fn grown_streams(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<StreamSize>, StoreError> {
        (**self).grown_streams(after, limit).await
    }

    async fn check_streams(
        &self,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<StreamsChecked, StoreError> {
        (**self).check_streams(after, limit).await
    }

    async fn readers(&self) -> Result<Vec<ReaderSeen>, StoreError> {
        (**self).readers().await
    }

    async fn parked_keys(&self, prefix: &str, limit: usize) -> Result<Vec<ParkedKey>, StoreError> {
        (**self).parked_keys(prefix, limit).await
    }

    async fn snapshots(
        &self,
        after: Option<(&StreamId, u32)>,
        limit: usize,
    ) -> Result<Vec<SnapshotSeen>, StoreError> {
        (**self).snapshots(after, limit).await
    }

    async fn drop_snapshots(&self, which: SnapshotsDropped) -> Result<u64, StoreError> {
        (**self).drop_snapshots(which).await
    }

    async fn sizes(&self) -> Result<Vec<PartSize>, StoreError> {
        (**self).sizes().await
    }
}

/// How long a stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamSize {
    /// The stream.
    pub stream_id: StreamId,
    /// The version of its last event that was looked at.
    pub version: u64,
    /// How many events were looked at: all, or those after a position.
    pub events: u64,
    /// The instant of the last of them.
    pub last_at: Timestamp,
}

impl StreamSize {
    /// Makes one from its parts.
    pub const fn new(stream_id: StreamId, version: u64, events: u64, last_at: Timestamp) -> Self {
        Self { stream_id, version, events, last_at }
    }
}

/// What a look for gaps has come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamsChecked {
    /// How many streams were looked at.
    pub streams: u64,
    /// How many events they have.
    pub events: u64,
    /// Those that are not whole.
    pub broken: Vec<BrokenStream>,
    /// The last stream that was looked at, after which to go on; `None` if there are no more.
    pub last: Option<StreamId>,
}

impl StreamsChecked {
    /// Adds a stream as it was found: how many events it has, and the versions of its first and last.
    pub fn add(&mut self, stream_id: StreamId, events: u64, first: u64, last: u64) {
        self.streams += 1;
        self.events += events;
        if first != 1 || last != events {
            self.broken.push(BrokenStream { stream_id, events, first, last });
        }
    }
}

/// A stream whose versions are not 1, 2, 3 and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokenStream {
    /// The stream.
    pub stream_id: StreamId,
    /// How many events it has.
    pub events: u64,
    /// The version of the first.
    pub first: u64,
    /// The version of the last.
    pub last: u64,
}

/// A reader of the log, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReaderSeen {
    /// Whose checkpoint it is.
    pub id: CheckpointId,
    /// Where it stands, if it has begun.
    pub position: Option<Position>,
    /// Who took its lease last; `None` if that was given up.
    pub owner: Option<String>,
    /// For how long the lease is held unless it is renewed; zero if it is free.
    pub left: Duration,
    /// The epoch of the lease, which rises with each owner.
    pub epoch: u64,
}

impl ReaderSeen {
    /// Makes one that nobody owns.
    pub const fn new(id: CheckpointId, position: Option<Position>, epoch: u64) -> Self {
        Self { id, position, owner: None, left: Duration::ZERO, epoch }
    }

    /// Says who took the lease last, and for how long.
    #[must_use]
    pub fn with_owner(mut self, owner: Option<String>, left: Duration) -> Self {
        self.left = if owner.is_some() { left } else { Duration::ZERO };
        self.owner = owner;
        self
    }

    /// Whether somebody holds the lease now.
    pub const fn is_held(&self) -> bool {
        !self.left.is_zero()
    }
}

/// A key for which events are parked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParkedKey {
    /// The first of them, which failed; the others wait behind it.
    pub first: ParkedEvent,
    /// How many there are.
    pub events: u64,
}

impl ParkedKey {
    /// Makes one from its parts.
    pub const fn new(first: ParkedEvent, events: u64) -> Self {
        Self { first, events }
    }
}

/// A snapshot, without what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotSeen {
    /// The stream.
    pub stream_id: StreamId,
    /// The version of the state's shape.
    pub snapshot_version: u32,
    /// The version of the last event that it contains.
    pub stream_version: u64,
    /// When it was saved.
    pub saved_at: Timestamp,
    /// How many bytes it has.
    pub bytes: u64,
}

impl SnapshotSeen {
    /// Makes one from its parts.
    pub const fn new(
        stream_id: StreamId,
        (snapshot_version, stream_version): (u32, u64),
        saved_at: Timestamp,
        bytes: u64,
    ) -> Self {
        Self { stream_id, snapshot_version, stream_version, saved_at, bytes }
    }
}

/// Which snapshots are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotsDropped {
    /// Those of which the stream has as many of higher versions of the state's shape as are kept; at least one is.
    Surplus {
        /// How many versions are kept.
        keep: u32,
    },
    /// Those that were saved longer ago than this.
    OlderThan(Duration),
}

/// How much room a part of the store takes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartSize {
    /// What the store calls it.
    pub name: String,
    /// About how many rows it has, as the store last counted; `None` if it never did.
    pub rows: Option<u64>,
    /// How many bytes it takes with its indexes; `None` where that is not known.
    pub bytes: Option<u64>,
}

impl PartSize {
    /// Makes one from its parts.
    pub fn new(name: impl Into<String>, rows: Option<u64>, bytes: Option<u64>) -> Self {
        Self { name: name.into(), rows, bytes }
    }
}
