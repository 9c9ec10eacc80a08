//! What is measured when an aggregate is loaded: what was folded, and which snapshots were found.

use annals::prelude::*;
use annals::{MemoryStore, Payload};
use futures::TryStreamExt;
use uuid::Uuid;

use crate::bank::Account;
use crate::commands::{deposit, open};
use crate::measured::measured;

#[test]
fn loads_tell_how_much_they_folded() {
    let measured = measured(async {
        let store = MemoryStore::new();
        let bus = CommandBus::new(store.clone());
        open(&bus, "ada").await;
        for _ in 0..4 {
            deposit(&bus, "ada").await;
        }
        Repository::<Account>::new(store).load("ada").await.unwrap().unwrap();
    });
    let events = measured.histogram("annals_replay_events{aggregate=account}");
    assert!(events.iter().copied().eq([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), "{events:?}");
    assert_eq!(measured.histogram("annals_replay_seconds{aggregate=account}").len(), 6);
}

/// A snapshot at each version, of which one is broken.
#[test]
fn loads_that_look_for_a_snapshot_tell_what_they_found() {
    let measured = measured(async {
        let store = MemoryStore::new();
        let bus = CommandBus::new(store.clone());
        open(&bus, "ada").await;
        deposit(&bus, "ada").await;
        let (stream_id, data) = (StreamId::new("account", "ada"), Payload::new("null"));
        let last: Vec<_> = store.read_stream(&stream_id, 2..).try_collect().await.unwrap();
        let shape = Account::snapshot_shape().map(|state| state.fingerprint.clone());
        let mut snapshot =
            annals::StoredSnapshot::new(stream_id, 2, last[0].id, data).with_shape(1, shape);
        let accounts = Repository::<Account>::new(store.clone());
        store.save_snapshot(snapshot.clone()).await.unwrap();
        accounts.load("ada").await.unwrap().unwrap();
        let state = serde_json::json!({ "owner": "Ada", "balance": 5, "closed": false });
        snapshot.data = Payload::new(state.to_string());
        store.save_snapshot(snapshot.clone()).await.unwrap();
        for _ in 0..3 {
            accounts.load("ada").await.unwrap().unwrap();
        }
        // Younger than what is asked for, it is no use.
        accounts.load("ada").at_version(1).await.unwrap().unwrap();
        // Of another history.
        snapshot.event_id = Uuid::now_v7();
        store.save_snapshot(snapshot).await.unwrap();
        accounts.load("ada").await.unwrap().unwrap();
    });
    for (outcome, count) in [("miss", 3), ("unusable", 2), ("hit", 3)] {
        let key = format!("annals_snapshot_loads_total{{aggregate=account,outcome={outcome}}}");
        assert_eq!(measured.counter(&key), count, "{key}");
    }
    let events = measured.histogram("annals_replay_events{aggregate=account}");
    assert!(events.iter().copied().eq([0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 1.0, 2.0]), "{events:?}");
}
