//! What the store in memory does with its clock, which the rules for all stores cannot move.

use std::time::Duration;

use annals::prelude::*;
use annals::{Append, ContentHash, Expected, KeyClaim, KeyOwner, NewEvent, Payload};
use serde_json::json;
use uuid::Uuid;

const HOUR: Duration = Duration::from_hours(1);

fn clock() -> ManualClock {
    ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap())
}

fn stream() -> StreamId {
    StreamId::new("conformance", "a")
}

fn append(key: &str, owner: KeyOwner) -> Append {
    let event = NewEvent::new(Uuid::now_v7(), "ConformanceCounted", 1, Payload::new("{}"));
    let claim = KeyClaim::new(key, "Count", ContentHash::of(&json!({})), owner);
    Append::new(stream(), Expected::Any, vec![event]).with_key(claim)
}

async fn is_kept(store: &MemoryStore, key: &str) -> bool {
    store.find_key(&stream(), key).await.unwrap().is_some()
}

#[tokio::test]
async fn a_callers_key_is_kept_for_its_lifetime_and_a_processs_for_ever() {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    store.append(vec![append("caller's", KeyOwner::Caller { lifetime: HOUR })]).await.unwrap();
    store.append(vec![append("process's", KeyOwner::Process)]).await.unwrap();
    clock.advance(HOUR - Duration::from_micros(1));
    assert!(is_kept(&store, "caller's").await);
    clock.advance(Duration::from_micros(1));
    assert!(!is_kept(&store, "caller's").await);
    assert_eq!(store.purge_keys().await.unwrap(), 1);
    clock.advance(HOUR * 24 * 36_500);
    store.purge_keys().await.unwrap();
    assert!(is_kept(&store, "process's").await);
}

#[tokio::test]
async fn instants_do_not_go_back_with_the_clock() {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let first = store.append(vec![append("1", KeyOwner::Process)]).await.unwrap();
    clock.set(clock.now() - HOUR);
    let second = store.append(vec![append("2", KeyOwner::Process)]).await.unwrap();
    assert_eq!(first[0].recorded_at, second[0].recorded_at);
}

#[tokio::test]
async fn a_key_does_not_come_back_with_the_clock() {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    store.append(vec![append("key", KeyOwner::Caller { lifetime: HOUR })]).await.unwrap();
    clock.advance(HOUR);
    let mut later = append("other", KeyOwner::Process);
    later.key = None;
    store.append(vec![later]).await.unwrap();
    clock.set(clock.now() - HOUR / 2);
    assert!(!is_kept(&store, "key").await);
    store.append(vec![append("key", KeyOwner::Process)]).await.unwrap();
    assert!(is_kept(&store, "key").await);
}
