//! Snapshots: read where they are good, taken when they are due.

use uuid::Uuid;

use super::{LoadError, Until, replay};
use crate::aggregate::Aggregate;
use crate::codec::PayloadOf;
use crate::metrics::{self, SnapshotLoad};
use crate::shape::Fingerprint;
use crate::store::{StoredSnapshot, Stores};
use crate::stream::StreamId;

/// A snapshot whose state could be read. Whether it fits its stream is still to be checked.
pub(super) struct Restored<A> {
    pub(super) state: A,
    pub(super) stream_version: u64,
    pub(super) event_id: Uuid,
}

/// Finds a snapshot at or below a version; what is missing or cannot be read counts as none.
pub(super) async fn restore<A: Aggregate>(
    stores: &Stores,
    stream_id: &StreamId,
    to: u64,
) -> Option<Restored<A>> {
    let policy = A::SNAPSHOT?;
    let unusable = |reason: String| {
        metrics::snapshot_load(A::CATEGORY, SnapshotLoad::Unusable);
        tracing::warn!(%stream_id, reason, "the snapshot counts as none: the whole stream is replayed");
    };
    let missed = || {
        metrics::snapshot_load(A::CATEGORY, SnapshotLoad::Miss);
        None
    };
    let snapshot = match stores.snapshots.load_snapshot(stream_id, policy.version()).await {
        Ok(Some(snapshot)) => snapshot,
        Ok(None) => return missed(),
        Err(error) => {
            unusable(error.to_string());
            return None;
        }
    };
    if snapshot.stream_version > to || snapshot.snapshot_version != policy.version() {
        return missed();
    }
    if snapshot.fingerprint.as_ref() != fingerprint::<A>() {
        unusable(format!(
            "the state changed its shape since version {} of the snapshot; raise it: `snapshot(…, version = {})`",
            policy.version(),
            policy.version() + 1
        ));
        return None;
    }
    let of = PayloadOf::Snapshot { stream: stream_id.as_str() };
    let state = match stores.events.codec().open(of, &snapshot.data) {
        Ok(json) => A::decode_snapshot(&json)?.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match state {
        Ok(state) => Some(Restored {
            state,
            stream_version: snapshot.stream_version,
            event_id: snapshot.event_id,
        }),
        Err(reason) => {
            unusable(reason);
            None
        }
    }
}

/// Takes a snapshot of the present state, and tells the version of the stream that it contains.
pub(crate) async fn take_snapshot<A: Aggregate>(
    stores: &Stores,
    id: A::Id,
) -> Result<Option<u64>, LoadError> {
    let Some(policy) = A::SNAPSHOT else { return Ok(None) };
    let stream_id = super::stream_of::<A>(&id)?;
    let replayed = replay::<A>(stores, &id, &stream_id, Until::Head).await?;
    let (Some(state), Some(last)) = (replayed.state, replayed.last) else { return Ok(None) };
    let Some(json) = state.encode_snapshot() else { return Ok(None) };
    let impossible = |reason: String| LoadError::Snapshot { stream_id: stream_id.clone(), reason };
    let json = json.map_err(|error| impossible(error.to_string()))?;
    let of = PayloadOf::Snapshot { stream: stream_id.as_str() };
    let data =
        stores.events.codec().seal(of, json).map_err(|error| impossible(error.to_string()))?;
    let snapshot = StoredSnapshot::new(stream_id, last.stream_version, last.event_id, data)
        .with_shape(policy.version(), fingerprint::<A>().cloned());
    stores.snapshots.save_snapshot(snapshot).await?;
    Ok(Some(last.stream_version))
}

fn fingerprint<A: Aggregate>() -> Option<&'static Fingerprint> {
    A::snapshot_shape().map(|state| &state.fingerprint)
}
