//! Snapshots as the store keeps them.

use annals::shape::Fingerprint;
use annals::{Payload, SnapshotStore, StoredSnapshot, StreamId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::conformance::broken::{Found, Verdict, ensure, ensure_eq};
use crate::conformance::material::stream;

pub(super) async fn a_snapshot_comes_back_as_it_was_saved<S: SnapshotStore>(store: S) -> Verdict {
    let contents = [
        json!({ "total": 3, "names": ["Zoë", "李 🦀", "'; --", "\\"], "none": null }),
        json!("c2VhbGVk"),
        json!({ "text": "é".repeat(500_000) }),
    ];
    let versions = [1, (1 << 40) + 1, 7];
    for ((number, content), version) in (0..).zip(&contents).zip(versions) {
        let saved = snapshot(&stream(&format!("a-{number}")), 1, version, content);
        store.save_snapshot(saved.clone()).await?;
        ensure_kept(&store, &saved).await?;
    }
    let shape = snapshot(&stream("shape"), u32::MAX, 1, &contents[0]);
    store.save_snapshot(shape.clone()).await?;
    ensure_kept(&store, &shape).await
}

pub(super) async fn a_stream_without_snapshots_has_none<S: SnapshotStore>(store: S) -> Verdict {
    ensure_eq!(store.load_snapshot(&stream("a"), 1).await?, None, "the snapshot of no stream");
    store.save_snapshot(snapshot(&stream("a"), 1, 5, &json!(1))).await?;
    ensure_eq!(store.load_snapshot(&stream("b"), 1).await?, None, "the snapshot of another stream");
    Ok(())
}

pub(super) async fn the_snapshot_saved_last_counts<S: SnapshotStore>(store: S) -> Verdict {
    let a = stream("a");
    // Also a lower version: one ahead of its stream, as after a restore, must not last.
    for version in [5, 10, 10, 3, 4] {
        let saved = snapshot(&a, 1, version, &json!({ "at": version }));
        store.save_snapshot(saved.clone()).await?;
        ensure_kept(&store, &saved).await?;
    }
    Ok(())
}

pub(super) async fn snapshots_stay_apart<S: SnapshotStore>(store: S) -> Verdict {
    let mut all = Vec::new();
    for id in ["a", "A", "a ", "a%", "a_", "'", "\u{e9}", "e\u{301}"] {
        for snapshot_version in [1, 2, 70_000] {
            let version = 1 + all.len() as u64;
            all.push(snapshot(&stream(id), snapshot_version, version, &json!({ "at": version })));
        }
    }
    for saved in &all {
        store.save_snapshot(saved.clone()).await?;
    }
    for saved in &all {
        ensure_kept(&store, saved).await?;
    }
    Ok(())
}

fn snapshot(
    stream_id: &StreamId,
    snapshot_version: u32,
    stream_version: u64,
    content: &Value,
) -> StoredSnapshot {
    let data = Payload::new(content.to_string());
    let fingerprint = Fingerprint::new(format!("{stream_version:x}"));
    StoredSnapshot::new(stream_id.clone(), stream_version, Uuid::now_v7(), data)
        .with_shape(snapshot_version, Some(fingerprint))
}

async fn ensure_kept(store: &impl SnapshotStore, saved: &StoredSnapshot) -> Verdict {
    let (stream_id, version) = (&saved.stream_id, saved.snapshot_version);
    let kept = store.load_snapshot(stream_id, version).await?;
    let kept = kept.ok_or_else(|| Found(format!("`{stream_id}` has no snapshot {version}")))?;
    ensure_eq!(
        kept.stream_version,
        saved.stream_version,
        "the version of `{stream_id}` it contains"
    );
    ensure_eq!(kept.event_id, saved.event_id, "the event that it contains last");
    ensure_eq!(
        (&kept.stream_id, kept.snapshot_version),
        (stream_id, version),
        "whose snapshot it is"
    );
    ensure_eq!(kept.fingerprint, saved.fingerprint, "the fingerprint of its shape");
    let [is, was] =
        [&kept.data, &saved.data].map(|data| serde_json::from_str::<Value>(data.as_str()));
    ensure!(is? == was?, "the state in the snapshot of `{stream_id}` was changed");
    Ok(())
}
