//! The port of stores that keep snapshots.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::{Page, ReadStream, StoreError};
use crate::codec::Payload;
use crate::shape::Fingerprint;
use crate::stream::StreamId;

/// Keeps the newest snapshot of each stream and snapshot version. It may be another store than the events'.
#[async_trait]
pub trait SnapshotStore: Send + Sync + 'static {
    /// Finds the snapshot of a stream, in one version of the state's shape.
    ///
    /// # Errors
    ///
    /// When the store cannot be read. The runtime then replays the whole stream.
    async fn load_snapshot(
        &self,
        stream_id: &StreamId,
        snapshot_version: u32,
    ) -> Result<Option<StoredSnapshot>, StoreError>;

    /// Finds a snapshot together with the part of a stream that begins with the event which it contains last, or without a
    /// snapshot there, with its first: in one go, where one store keeps both.
    ///
    /// By default `None`: the two are asked for one after the other.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn snapshot_page(
        &self,
        read: &ReadStream,
        snapshot_version: u32,
    ) -> Result<Option<SnapshotPage>, StoreError> {
        let _ = (read, snapshot_version);
        Ok(None)
    }

    /// Keeps a snapshot in the place of the one of the same stream and snapshot version, whichever is newer: a
    /// snapshot that is ahead of its stream must not last.
    ///
    /// # Errors
    ///
    /// When the store cannot be written. No command fails by it.
    async fn save_snapshot(&self, snapshot: StoredSnapshot) -> Result<(), StoreError>;
}

#[async_trait]
impl<S: SnapshotStore + ?Sized> SnapshotStore for Arc<S> {
    async fn load_snapshot(
        &self,
        stream_id: &StreamId,
        snapshot_version: u32,
    ) -> Result<Option<StoredSnapshot>, StoreError> {
        (**self).load_snapshot(stream_id, snapshot_version).await
    }

    async fn snapshot_page(
        &self,
        read: &ReadStream,
        snapshot_version: u32,
    ) -> Result<Option<SnapshotPage>, StoreError> {
        (**self).snapshot_page(read, snapshot_version).await
    }

    async fn save_snapshot(&self, snapshot: StoredSnapshot) -> Result<(), StoreError> {
        (**self).save_snapshot(snapshot).await
    }
}

/// A snapshot, and a page of its stream.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SnapshotPage {
    /// The snapshot, if there is one and the stream has events.
    pub snapshot: Option<StoredSnapshot>,
    /// The page; it begins with the event that the snapshot contains last, if the stream has that one, else with the first of
    /// the part that was asked for.
    pub page: Page,
}

impl SnapshotPage {
    /// Makes one of its parts.
    pub const fn new(snapshot: Option<StoredSnapshot>, page: Page) -> Self {
        Self { snapshot, page }
    }
}

/// The state of a stream at one version.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredSnapshot {
    /// The stream.
    pub stream_id: StreamId,
    /// The version of the state's shape.
    pub snapshot_version: u32,
    /// The state's shape in few letters, if it is known: a snapshot of another shape counts as none.
    pub fingerprint: Option<Fingerprint>,
    /// The version of the last event that the state contains.
    pub stream_version: u64,
    /// The id of that event: a snapshot of another history counts as none.
    pub event_id: Uuid,
    /// The state, as the store's codec sealed it.
    pub data: Payload,
}

impl StoredSnapshot {
    /// Makes a snapshot of the state after the event `event_id`, which is the stream's event number `stream_version`. Its
    /// shape is at version 1 and has no fingerprint.
    pub const fn new(
        stream_id: StreamId,
        stream_version: u64,
        event_id: Uuid,
        data: Payload,
    ) -> Self {
        Self { stream_id, snapshot_version: 1, fingerprint: None, stream_version, event_id, data }
    }

    /// Says which shape the state has.
    #[must_use]
    pub fn with_shape(mut self, snapshot_version: u32, fingerprint: Option<Fingerprint>) -> Self {
        self.snapshot_version = snapshot_version;
        self.fingerprint = fingerprint;
        self
    }
}
