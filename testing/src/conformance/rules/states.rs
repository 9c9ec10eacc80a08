//! Loads from snapshots: whatever a snapshot says, the state is the fold of the stream.

use std::sync::Arc;

use annals::shape::Fingerprint;
use annals::{
    Aggregate, Append, EventStore, Expected, Payload, ReadStream, Repository, SnapshotStore,
    StoreError, StoredSnapshot, Stores,
};
use async_trait::async_trait;
use uuid::Uuid;

use crate::conformance::broken::{Found, Verdict, ensure_eq};
use crate::conformance::faulty::{Fault, Faulty};
use crate::conformance::material::{events_of, store_one};
use crate::conformance::tallies::{
    add, builder, bus, ensure_tally, folded, history, load, open, store_history, stream_of,
};
use crate::conformance::tally::Tally;

/// The version of the tally's snapshots.
const SHAPE: u32 = 1;

pub(super) async fn snapshot_and_tail_equal_the_full_fold<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let amounts: Vec<i64> = (1..=12).map(|number| number * number - 20).collect();
    let tallies = Repository::<Tally>::new(store.clone());
    // The snapshot at each version in turn, then none.
    for snapshot_at in 1..=amounts.len() + 2 {
        let tally = format!("a-{snapshot_at}");
        let events = history(amounts.iter().copied())?;
        for (version, event) in (1..).zip(events) {
            store_one(&store, Append::new(stream_of(&tally), Expected::Any, vec![event])).await?;
            if version == snapshot_at {
                let taken = tallies.snapshot(&tally).await?;
                ensure_eq!(
                    taken,
                    Some(snapshot_at as u64),
                    "the version that the snapshot contains"
                );
            }
        }
        ensure_tally(&store, &tally, amounts.iter().copied()).await?;
        for version in 1..=amounts.len() + 1 {
            let at = tallies.load(&tally).at_version(version as u64).await?;
            let state = at.map(|loaded| (loaded.state, loaded.stream_version));
            let expected = folded(amounts[..version - 1].iter().copied());
            ensure_eq!(
                state,
                Some((expected, version as u64)),
                "the state at version {version}, with a snapshot at {snapshot_at}"
            );
        }
    }
    Ok(())
}

pub(super) async fn a_snapshot_and_its_page_are_what_they_are_apart<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    store_history(&store, "a", [1, 2, 3, 4, 5]).await?;
    store_history(&store, "b", [1, 2]).await?;
    let (a, last) = (stream_of("a"), events_of(&store, &stream_of("a")).await?[2].id);
    // None, one at each of its six versions, and those ahead of it.
    for kept in (0..=7).chain([u64::from(u32::MAX)]) {
        if kept > 0 {
            let snapshot = StoredSnapshot::new(a.clone(), kept, last, Payload::new("{}"));
            store.save_snapshot(snapshot.with_shape(SHAPE, None)).await?;
        }
        for (stream, shape) in [("a", SHAPE), ("a", SHAPE + 1), ("b", SHAPE), ("c", SHAPE)] {
            for (from, limit) in [(1, 1024), (1, 2), (3, 2), (3, 1024)] {
                let read = ReadStream::new(stream_of(stream)).from(from).limit(limit);
                let Some(both) = store.snapshot_page(&read, shape).await? else { return Ok(()) };
                let snapshot = store.load_snapshot(&read.stream_id, shape).await?;
                let begins = snapshot.as_ref().map(|snapshot| snapshot.stream_version);
                let begins = begins.filter(|begins| (from..=6).contains(begins)).unwrap_or(from);
                let page = store.stream_page(&read.clone().from(begins)).await?;
                let what = format!("`{stream}` from {from}, of a snapshot at {kept}");
                ensure_eq!(both.page.events, page.events, "the events of {what}");
                ensure_eq!(both.page.more, page.more, "whether more follows those of {what}");
                let snapshot = snapshot.filter(|_| !page.events.is_empty());
                ensure_eq!(both.snapshot, snapshot, "the snapshot of {what}");
            }
        }
    }
    Ok(())
}

pub(super) async fn snapshots_are_taken_by_policy<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let bus = bus(store.clone())?;
    bus.dispatch(open("a")).await?;
    for amount in 1..=11 {
        bus.dispatch(add("a", amount)).await?;
        bus.flush().await;
        let version = u64::try_from(amount)? + 1;
        let kept = store.load_snapshot(&stream_of("a"), SHAPE).await?;
        let due = (version >= 5).then_some(version / 5 * 5);
        ensure_eq!(kept.map(|kept| kept.stream_version), due, "the snapshot at version {version}");
        ensure_tally(&store, "a", 1..=amount).await?;
    }
    Ok(())
}

pub(super) async fn a_broken_snapshot_counts_as_none<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    store_history(&store, "a", [1, 2, 3]).await?;
    let event_id = events_of(&store, &stream_of("a")).await?[2].id;
    let states =
        ["{}", "null", "[1,2]", "\"c2VhbGVk\"", r#"{"total":"three","added":3,"trail":1}"#];
    for state in states {
        store.save_snapshot(forged_after(event_id, state)).await?;
        ensure_tally(&store, "a", [1, 2, 3]).await?;
        ensure_overwritten(&store, 4).await?;
    }
    // Not JSON at all: a store may refuse it, but not serve it as a state.
    for state in ["", "{\"total\":", "\u{1}"] {
        store.save_snapshot(forged_after(event_id, state)).await.ok();
        ensure_tally(&store, "a", [1, 2, 3]).await?;
    }
    ensure_overwritten(&store, 4).await
}

pub(super) async fn a_snapshot_ahead_of_its_stream_counts_as_none<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    store_history(&store, "a", [1, 2, 3]).await?;
    for ahead in [5, 6, 1_000, 1 << 40] {
        store.save_snapshot(forged(ahead, &lie()?)).await?;
        ensure_tally(&store, "a", [1, 2, 3]).await?;
        ensure_overwritten(&store, 4).await?;
    }
    store.save_snapshot(forged(5, &lie()?)).await?;
    let receipt = bus(store.clone())?.dispatch(add("a", 4)).await?;
    ensure_eq!(receipt.stream_version, 5, "the version at which a command was decided");
    ensure_tally(&store, "a", [1, 2, 3, 4]).await
}

pub(super) async fn a_snapshot_of_another_history_counts_as_none<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    store_history(&store, "a", [1, 2, 3]).await?;
    for version in 0..=4 {
        store.save_snapshot(forged(version, &lie()?)).await?;
        ensure_tally(&store, "a", [1, 2, 3]).await?;
        ensure_overwritten(&store, 4).await?;
    }
    Ok(())
}

pub(super) async fn a_snapshot_of_another_version_counts_as_none<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    store_history(&store, "a", [1, 2, 3]).await?;
    let event_id = events_of(&store, &stream_of("a")).await?[2].id;
    for snapshot_version in [0, SHAPE + 1, 99] {
        let other = forged_after(event_id, &lie()?).with_shape(snapshot_version, fingerprint());
        store.save_snapshot(other.clone()).await?;
        ensure_tally(&store, "a", [1, 2, 3]).await?;
        // A release that still reads that version keeps its own snapshot.
        ensure_overwritten(&store, 4).await?;
        let kept = store.load_snapshot(&stream_of("a"), snapshot_version).await?;
        ensure_eq!(kept.map(|kept| kept.event_id), Some(event_id), "the other version's snapshot");
    }
    Ok(())
}

pub(super) async fn a_snapshot_of_another_shape_counts_as_none<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    store_history(&store, "a", [1, 2, 3]).await?;
    let event_id = events_of(&store, &stream_of("a")).await?[2].id;
    // One of the right shape is used: it is the shape that makes the difference.
    store.save_snapshot(forged_after(event_id, &lie()?)).await?;
    let loaded = Repository::<Tally>::new(store.clone()).load("a").await?;
    ensure_eq!(
        loaded.map(|loaded| loaded.state.total),
        Some(3),
        "the total by a snapshot of the right shape, which says 0, and the one amount after it"
    );
    for fingerprint in
        [None, Some(Fingerprint::new("")), Some(Fingerprint::new("0123456789abcdef"))]
    {
        let other = forged_after(event_id, &lie()?).with_shape(SHAPE, fingerprint);
        store.save_snapshot(other).await?;
        ensure_tally(&store, "a", [1, 2, 3]).await?;
        ensure_overwritten(&store, 4).await?;
    }
    Ok(())
}

pub(super) async fn a_snapshot_that_cannot_be_kept_fails_no_command<S>(store: S) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let bus = builder(Faulty::new(store.clone(), NoRoom)).build()?;
    bus.dispatch(open("a")).await?;
    for amount in 1..=6 {
        bus.dispatch(add("a", amount)).await?;
    }
    bus.flush().await;
    ensure_tally(&store, "a", 1..=6).await?;

    let apart = Stores::new(Arc::new(store.clone()), Nowhere);
    let loaded = Repository::<Tally>::new(apart).load("a").await?;
    let state = loaded.map(|loaded| loaded.state);
    ensure_eq!(state, Some(folded(1..=6)), "the state where snapshots cannot be read");
    Ok(())
}

/// A state that the stream does not lead to.
fn lie() -> Result<String, Found> {
    Ok(serde_json::to_string(&Tally { total: 0, added: 0, trail: 0 })?)
}

/// A snapshot of tally `a` that no stream of its has led to.
fn forged(stream_version: u64, state: &str) -> StoredSnapshot {
    StoredSnapshot::new(stream_of("a"), stream_version, Uuid::now_v7(), Payload::new(state))
        .with_shape(SHAPE, fingerprint())
}

/// A snapshot of tally `a` after its third event, with a state that it has not led to.
fn forged_after(event_id: Uuid, state: &str) -> StoredSnapshot {
    let mut forged = forged(3, state);
    forged.event_id = event_id;
    forged
}

fn fingerprint() -> Option<Fingerprint> {
    Tally::snapshot_shape().map(|state| state.fingerprint.clone())
}

/// Ends the rule unless the next snapshot takes the place of what is there.
async fn ensure_overwritten<S>(store: &S, version: u64) -> Verdict
where
    S: EventStore + SnapshotStore + Clone,
{
    let taken = Repository::<Tally>::new(store.clone()).snapshot("a").await?;
    ensure_eq!(taken, Some(version), "the version of a new snapshot");
    let kept = store.load_snapshot(&stream_of("a"), SHAPE).await?;
    ensure_eq!(kept.map(|kept| kept.stream_version), Some(version), "the snapshot that is kept");
    load(store, "a").await.map(drop)
}

/// Keeps no snapshot.
struct NoRoom;

#[async_trait]
impl<S: SnapshotStore> Fault<S> for NoRoom {
    async fn save_snapshot(&self, _: &S, _: StoredSnapshot) -> Result<(), StoreError> {
        Err(StoreError::other("there is no room for snapshots"))
    }
}

/// A store of snapshots that cannot be reached.
struct Nowhere;

#[async_trait]
impl SnapshotStore for Nowhere {
    async fn load_snapshot(
        &self,
        _: &annals::StreamId,
        _: u32,
    ) -> Result<Option<StoredSnapshot>, StoreError> {
        Err(StoreError::unavailable("snapshots cannot be reached"))
    }

    async fn save_snapshot(&self, _: StoredSnapshot) -> Result<(), StoreError> {
        Err(StoreError::unavailable("snapshots cannot be reached"))
    }
}
