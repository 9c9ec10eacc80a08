//! Snapshots: read where they are good, taken when they are due.

use uuid::Uuid;

use super::{LoadError, Until, replay};
use crate::aggregate::Aggregate;
use crate::codec::PayloadOf;
use crate::metrics::{self, SnapshotLoad};
use crate::shape::Fingerprint;
use crate::store::{Page, ReadStream, StoreError, StoredSnapshot, Stores};

/// A snapshot whose state could be read. Whether it fits its stream is still to be checked.
pub(super) struct Restored<A> {
    pub(super) state: A,
    pub(super) stream_version: u64,
    pub(super) event_id: Uuid,
}

/// What a replay begins with.
pub(super) struct Beginning<A> {
    /// A snapshot at or below the version that is replayed up to.
    pub(super) restored: Option<Restored<A>>,
    /// What is to be read first, if it came along.
    pub(super) page: Option<Page>,
}

/// Finds what the replay of a stream begins with.
pub(super) async fn begin<A: Aggregate>(stores: &Stores, whole: &ReadStream) -> Beginning<A> {
    let Some(policy) = A::SNAPSHOT else { return Beginning { restored: None, page: None } };
    let version = policy.version();
    let both = if whole.to == u64::MAX {
        // What fails here fails there, too, or is none of the events' faults.
        stores.snapshot_page(whole, version).await.unwrap_or_default()
    } else {
        None
    };
    let (found, page) = match both {
        Some(both) => (Ok(both.snapshot), Some(both.page)),
        None => (stores.snapshots.load_snapshot(&whole.stream_id, version).await, None),
    };
    let is_found = matches!(found, Ok(Some(_)));
    let restored = restore::<A>(stores, whole, version, found);
    // Beside a snapshot that is of no use, the first events are missing.
    let page = page.filter(|_| restored.is_some() || !is_found);
    Beginning { restored, page }
}

/// Reads the state of a snapshot; what is missing or cannot be read counts as none.
fn restore<A: Aggregate>(
    stores: &Stores,
    whole: &ReadStream,
    version: u32,
    found: Result<Option<StoredSnapshot>, StoreError>,
) -> Option<Restored<A>> {
    let stream_id = &whole.stream_id;
    let unusable = |reason: String| {
        metrics::snapshot_load(A::CATEGORY, SnapshotLoad::Unusable);
        tracing::warn!(%stream_id, reason, "the snapshot counts as none: the whole stream is replayed");
    };
    let missed = || {
        metrics::snapshot_load(A::CATEGORY, SnapshotLoad::Miss);
        None
    };
    let snapshot = match found {
        Ok(Some(snapshot)) => snapshot,
        Ok(None) => return missed(),
        Err(error) => {
            unusable(error.to_string());
            return None;
        }
    };
    if snapshot.stream_version > whole.to || snapshot.snapshot_version != version {
        return missed();
    }
    if snapshot.fingerprint.as_ref() != fingerprint::<A>() {
        unusable(format!(
            "the state changed its shape since version {} of the snapshot; raise it: `snapshot(…, version = {})`",
            version,
            version + 1
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
