//! What an operator's tools ask of a store.

use std::time::Duration;

use annals::projection::ParkedEvent;
use annals::{
    CheckpointChange, CheckpointId, Expected, InspectedStore, Payload, Position, RowChange,
    SnapshotSeen, SnapshotsDropped, StoredSnapshot, StreamId, Timestamp,
};
use uuid::Uuid;

use crate::conformance::broken::{Found, Verdict, ensure, ensure_eq};
use crate::conformance::material::{append, stream};

/// Of these names, in this order, each byte by byte.
const NAMES: [&str; 5] = ["A", "a", "a ", "b", "é"];

async fn fill<S: InspectedStore>(store: &S) -> Result<(), annals::WriteError> {
    // Not in the order of their names.
    for (length, name) in (1..).zip(NAMES).collect::<Vec<(u64, _)>>().into_iter().rev() {
        store.append(vec![append(&stream(name), Expected::NoStream, 1..=length)]).await?;
    }
    Ok(())
}

pub(super) async fn streams_are_listed_in_order<S: InspectedStore>(store: S) -> Verdict {
    ensure!(store.stream_heads(None, 10).await?.is_empty(), "an empty store has no streams");
    fill(&store).await?;
    let (mut listed, mut after) = (Vec::new(), None::<StreamId>);
    loop {
        let page = store.stream_heads(after.as_ref(), 2).await?;
        ensure!(page.len() <= 2, "a page has no more streams than were asked for");
        let Some(last) = page.last() else { break };
        after = Some(last.stream_id.clone());
        listed.extend(page);
    }
    let expected: Vec<_> = (1..).zip(NAMES).map(|(length, name)| (stream(name), length)).collect();
    let found: Vec<(StreamId, u64)> =
        listed.iter().map(|size| (size.stream_id.clone(), size.version)).collect();
    ensure_eq!(found, expected, "the streams, each once, with their versions");
    for size in listed {
        let head = store.stream_head(&size.stream_id).await?;
        ensure_eq!(size.last_at, head.recorded_at, "the instant of a stream's last event");
        ensure_eq!(size.events, size.version, "how many events a stream has");
    }
    Ok(())
}

pub(super) async fn streams_that_grew_most_come_first<S: InspectedStore>(store: S) -> Verdict {
    fill(&store).await?;
    let before = store.head().await?;
    ensure!(store.grown_streams(before, 10).await?.is_empty(), "nothing has grown");
    for (name, events) in [("A", 1), ("b", 3), ("a", 3)] {
        store.append(vec![append(&stream(name), Expected::Any, 1..=events)]).await?;
    }
    let grown = store.grown_streams(before, 2).await?;
    let found: Vec<_> =
        grown.iter().map(|size| (size.stream_id.id(), size.version, size.events)).collect();
    ensure_eq!(found, vec![("a", 5, 3), ("b", 7, 3)], "the streams that grew most");
    Ok(())
}

pub(super) async fn a_look_for_gaps_goes_through_all_streams<S: InspectedStore>(
    store: S,
) -> Verdict {
    fill(&store).await?;
    let (mut streams, mut events, mut after) = (0, 0, None::<StreamId>);
    loop {
        let checked = store.check_streams(after.as_ref(), 2).await?;
        ensure!(checked.streams <= 2, "no more streams are looked at than were asked for");
        ensure!(checked.broken.is_empty(), "{:?} are whole", checked.broken);
        streams += checked.streams;
        events += checked.events;
        if checked.last.is_none() {
            break;
        }
        ensure!(checked.last > after, "a look goes on");
        after = checked.last;
    }
    ensure_eq!((streams, events), (5, 15), "how many streams and events were looked at");
    Ok(())
}

fn reader(name: &str) -> CheckpointId {
    CheckpointId { name: name.to_owned(), version: 7, shard: 3 }
}

pub(super) async fn readers_are_listed_with_their_owners<S: InspectedStore>(store: S) -> Verdict {
    let hour = Duration::from_hours(1);
    let [first, second] = ["first", "second"].map(reader);
    let fence = store
        .claim_lease(&second, "ada", hour)
        .await?
        .ok_or_else(|| Found("the lease is not free".to_owned()))?;
    let held = store
        .claim_lease(&first, "bob", hour)
        .await?
        .ok_or_else(|| Found("the lease is not free".to_owned()))?;
    let change = CheckpointChange { fence: fence.clone(), position: Position::from(9) };
    store.write_rows(Vec::new(), change).await?;
    store.release_lease(&fence).await?;
    let listed = store.readers().await?;
    let found: Vec<_> = listed
        .iter()
        .map(|seen| (&seen.id, seen.position, seen.owner.as_deref(), seen.is_held()))
        .collect();
    let expected =
        vec![(&first, None, Some("bob"), true), (&second, Some(Position::from(9)), None, false)];
    ensure_eq!(found, expected, "the readers");
    ensure_eq!(listed[0].epoch, held.epoch, "the epoch of a lease");
    ensure!(
        listed[0].left <= hour && listed[0].left > hour / 2,
        "for how long it is held: {:?}",
        listed[0].left
    );
    Ok(())
}

pub(super) async fn parked_events_are_listed_by_key<S: InspectedStore>(store: S) -> Verdict {
    let [first, second] = ["kept/first", "kept/second"].map(reader);
    let at = |micros| Timestamp::from_micros(1_700_000_000_000_000 + micros);
    let parked = |reader: &CheckpointId, key: &str, position: u64, error: &str| ParkedEvent {
        reader: reader.clone(),
        key: key.to_owned(),
        position: Position::from(position),
        stream_id: stream(key),
        event_type: "ConformanceCounted".to_owned(),
        error: error.to_owned(),
        attempts: u32::from(!error.is_empty()),
        parked_at: at(position.cast_signed()),
        retry_at: (position == 4).then(|| at(100)),
    };
    let of_first = [parked(&first, "x", 5, "it broke"), parked(&first, "x", 8, "")];
    let of_second =
        [parked(&second, "x", 4, "it broke, too"), parked(&reader("other"), "x", 1, "")];
    for (id, events) in [(&first, of_first.clone()), (&second, of_second.clone())] {
        let fence = store.claim_lease(id, "ada", Duration::from_mins(1)).await?;
        let fence = fence.ok_or_else(|| Found("the lease is not free".to_owned()))?;
        let rows = events.map(RowChange::Park).to_vec();
        store.write_rows(rows, CheckpointChange { fence, position: Position::from(9) }).await?;
    }
    let keys = store.parked_keys("kept/", 10).await?;
    let found: Vec<_> = keys.iter().map(|key| (&key.first, key.events)).collect();
    ensure_eq!(found, vec![(&of_second[0], 1), (&of_first[0], 2)], "what is parked");
    let one = store.parked_keys("kept/", 1).await?;
    ensure_eq!(one.len(), 1, "no more keys than were asked for");
    ensure_eq!(store.parked_keys("", 10).await?.len(), 3, "what is parked of all readers");
    Ok(())
}

fn snapshot(name: &str, version: u32) -> StoredSnapshot {
    let (event, data) = (Uuid::now_v7(), Payload::new("{\"n\":1}"));
    StoredSnapshot::new(stream(name), 4, event, data).with_shape(version, None)
}

fn named(seen: &[SnapshotSeen]) -> Vec<(&str, u32)> {
    seen.iter().map(|seen| (seen.stream_id.id(), seen.snapshot_version)).collect()
}

pub(super) async fn surplus_snapshots_are_dropped<S: InspectedStore>(store: S) -> Verdict {
    for (name, version) in [("b", 1), ("a", 2), ("a", 3), ("a", 1)] {
        store.save_snapshot(snapshot(name, version)).await?;
    }
    let all = store.snapshots(None, 10).await?;
    ensure_eq!(named(&all), vec![("a", 1), ("a", 2), ("a", 3), ("b", 1)], "the snapshots");
    ensure!(all[0].stream_version == 4 && all[0].bytes > 0, "what is told of one: {:?}", all[0]);
    let rest = store.snapshots(Some((&stream("a"), 1)), 2).await?;
    ensure_eq!(named(&rest), vec![("a", 2), ("a", 3)], "a page of the snapshots");
    let dropped = store.drop_snapshots(SnapshotsDropped::Surplus { keep: 2 }).await?;
    ensure_eq!(dropped, 1, "how many were dropped");
    let dropped = store.drop_snapshots(SnapshotsDropped::Surplus { keep: 0 }).await?;
    ensure_eq!(dropped, 1, "how many were dropped where none is to be kept");
    let kept = store.snapshots(None, 10).await?;
    ensure_eq!(named(&kept), vec![("a", 3), ("b", 1)], "what stays");
    Ok(())
}

pub(super) async fn old_snapshots_are_dropped<S: InspectedStore>(store: S) -> Verdict {
    store.save_snapshot(snapshot("a", 1)).await?;
    let hour = SnapshotsDropped::OlderThan(Duration::from_hours(1));
    ensure_eq!(store.drop_snapshots(hour).await?, 0, "how many are older than an hour");
    tokio::time::sleep(Duration::from_millis(2)).await;
    let none = SnapshotsDropped::OlderThan(Duration::from_micros(1));
    ensure_eq!(store.drop_snapshots(none).await?, 1, "how many are older than a microsecond");
    ensure!(store.snapshots(None, 10).await?.is_empty(), "nothing stays");
    Ok(())
}

pub(super) async fn what_takes_room_is_named<S: InspectedStore>(store: S) -> Verdict {
    fill(&store).await?;
    let sizes = store.sizes().await?;
    ensure!(sizes.iter().any(|size| size.name == "events"), "the events are a part: {sizes:?}");
    Ok(())
}
