//! What the rules store and how they look at it: streams, events, keys, what refused a write.

use std::fmt::Display;
use std::time::Duration;

use annals::{
    Append, Conflict, ContentHash, EventFilter, EventStore, EventStoreExt, Expected, KeyClaim,
    KeyEntry, KeyOwner, NewEvent, Payload, Position, ReadAll, Receipt, RecordedEvent, StreamId,
    WriteError,
};
use futures::TryStreamExt;
use serde_json::json;
use uuid::Uuid;

use super::broken::{Found, Verdict, ensure, ensure_eq};

/// The category of the streams that the rules write.
pub(super) const CATEGORY: &str = "conformance";

/// The stored name of the events that the rules write. No aggregate lists it.
pub(super) const COUNTED: &str = "ConformanceCounted";

/// A stream of the rules.
pub(super) fn stream(id: &str) -> StreamId {
    StreamId::new(CATEGORY, id)
}

/// An event that says a number.
pub(super) fn event(number: u64) -> NewEvent {
    named(COUNTED, number)
}

/// An event of another stored name.
pub(super) fn named(event_type: &'static str, number: u64) -> NewEvent {
    let data = Payload::new(json!({ "number": number }).to_string());
    NewEvent::new(Uuid::now_v7(), event_type, 1, data)
}

/// An event with something changed.
pub(super) fn changed(mut event: NewEvent, change: impl FnOnce(&mut NewEvent)) -> NewEvent {
    change(&mut event);
    event
}

/// Events that say these numbers.
pub(super) fn events(numbers: impl IntoIterator<Item = u64>) -> Vec<NewEvent> {
    numbers.into_iter().map(event).collect()
}

/// An append of events that say these numbers.
pub(super) fn append(
    stream_id: &StreamId,
    expected: Expected,
    numbers: impl IntoIterator<Item = u64>,
) -> Append {
    Append::new(stream_id.clone(), expected, events(numbers))
}

/// A claim of a key by a caller, for a day.
pub(super) fn claim(key: &str) -> KeyClaim {
    claim_for(key, Duration::from_hours(24))
}

/// A claim of a key by a caller, for as long.
pub(super) fn claim_for(key: &str, lifetime: Duration) -> KeyClaim {
    owned(key, KeyOwner::Caller { lifetime })
}

/// A claim of a key.
pub(super) fn owned(key: &str, owner: KeyOwner) -> KeyClaim {
    KeyClaim::new(key, "ConformanceCount", ContentHash::of(&json!({ "key": key })), owner)
}

/// Appends to one stream.
pub(super) async fn store_one(
    store: &impl EventStore,
    append: Append,
) -> Result<Receipt, WriteError> {
    let receipts = store.append(vec![append]).await?;
    match <[Receipt; 1]>::try_from(receipts) {
        Ok([receipt]) => Ok(receipt),
        Err(receipts) => Err(annals::StoreError::other(format!(
            "one append was answered with {} receipts",
            receipts.len()
        ))
        .into()),
    }
}

/// Appends events that say these numbers, whatever is there.
pub(super) async fn store_numbers(
    store: &impl EventStore,
    stream_id: &StreamId,
    numbers: impl IntoIterator<Item = u64>,
) -> Result<Receipt, WriteError> {
    store_one(store, append(stream_id, Expected::Any, numbers)).await
}

/// The receipt of no events at the same head.
pub(super) fn without_events(mut receipt: Receipt) -> Receipt {
    receipt.events = 0;
    receipt
}

/// All events of a stream.
pub(super) async fn events_of(
    store: &impl EventStore,
    stream_id: &StreamId,
) -> Result<Vec<RecordedEvent>, Found> {
    Ok(store.read_stream(stream_id, ..).try_collect().await?)
}

/// All events of the log.
pub(super) async fn log_of(store: &impl EventStore) -> Result<Vec<RecordedEvent>, Found> {
    Ok(store.read_all(ReadAll::after(Position::START)).try_collect().await?)
}

/// The events of the log that a filter takes, in pages of a few.
pub(super) async fn filtered(
    store: &impl EventStore,
    filter: EventFilter,
) -> Result<Vec<RecordedEvent>, Found> {
    let read = ReadAll::after(Position::START).filter(filter).limit(3);
    Ok(store.read_all(read).try_collect().await?)
}

/// The number that an event says.
pub(super) fn number(event: &RecordedEvent) -> Result<u64, Found> {
    let said: serde_json::Value = serde_json::from_str(event.data.as_str())?;
    said["number"].as_u64().ok_or_else(|| Found(format!("a payload was changed: {said}")))
}

/// The numbers that events say, in their order.
pub(super) fn numbers<'a>(
    events: impl IntoIterator<Item = &'a RecordedEvent>,
) -> Result<Vec<u64>, Found> {
    events.into_iter().map(number).collect()
}

/// Ends the rule unless a stream holds just these numbers, at the versions from 1 on.
pub(super) async fn ensure_numbers(
    store: &impl EventStore,
    stream_id: &StreamId,
    expected: impl IntoIterator<Item = u64>,
) -> Verdict {
    let events = events_of(store, stream_id).await?;
    let expected: Vec<u64> = expected.into_iter().collect();
    ensure_eq!(numbers(&events)?, expected, "the events of `{stream_id}`");
    let versions: Vec<u64> = events.iter().map(|event| event.stream_version).collect();
    let contiguous: Vec<u64> = (1..=events.len() as u64).collect();
    ensure_eq!(versions, contiguous, "the versions of `{stream_id}`");
    let head = store.stream_head(stream_id).await?.version;
    ensure_eq!(head, events.len() as u64, "the head of `{stream_id}`");
    Ok(())
}

/// Ends the rule unless events are those expected, in their order; names the first that is not.
pub(super) fn ensure_events(
    what: impl Display,
    found: &[RecordedEvent],
    expected: &[RecordedEvent],
) -> Verdict {
    for (found, expected) in found.iter().zip(expected) {
        ensure_eq!(found, expected, "{what}");
    }
    ensure_eq!(found.len(), expected.len(), "{what}: the number of events");
    Ok(())
}

/// Ends the rule unless the log holds just these events.
pub(super) async fn ensure_log(
    what: impl Display,
    store: &impl EventStore,
    expected: &[RecordedEvent],
) -> Verdict {
    ensure_events(what, &log_of(store).await?, expected)
}

/// Ends the rule unless positions rise along the log.
pub(super) fn ensure_rising(log: &[RecordedEvent]) -> Verdict {
    for pair in log.windows(2) {
        let (one, next) = (pair[0].position, pair[1].position);
        ensure!(one < next, "position {next} comes after position {one}");
    }
    Ok(())
}

/// The conflict that refused a write.
pub(super) fn conflict<T: std::fmt::Debug>(
    answer: Result<T, WriteError>,
) -> Result<Conflict, Found> {
    match answer {
        Err(WriteError::Conflict(conflict)) => Ok(conflict),
        other => Err(Found(format!("expected a conflict, found {other:?}"))),
    }
}

/// Ends the rule unless this conflict refused a write.
pub(super) fn ensure_conflict<T: std::fmt::Debug>(
    answer: Result<T, WriteError>,
    expected: &Conflict,
) -> Verdict {
    ensure_eq!(conflict(answer)?, *expected, "the conflict");
    Ok(())
}

/// The entry of the key that refused a write.
pub(super) fn key_used<T: std::fmt::Debug>(
    answer: Result<T, WriteError>,
    of_stream: &StreamId,
    of_key: &str,
) -> Result<KeyEntry, Found> {
    match answer {
        Err(WriteError::KeyUsed { stream_id, key, entry }) => {
            ensure_eq!((stream_id, &*key), (of_stream.clone(), of_key), "the key in use");
            Ok(*entry)
        }
        other => Err(Found(format!("expected that key `{of_key}` is in use, found {other:?}"))),
    }
}

/// Ends the rule unless a write was refused as one that no store could keep.
pub(super) fn ensure_invalid<T: std::fmt::Debug>(
    what: &str,
    answer: Result<T, WriteError>,
) -> Verdict {
    match answer {
        Err(WriteError::Store(error)) if error.is_invalid() => Ok(()),
        other => Err(Found(format!("{what}: expected that it is refused, found {other:?}"))),
    }
}

/// Events as releases of several ages store them: the first version under a name that is an alias today, one between, and
/// the present one, which readers of a lower version can read.
///
/// Their JSON is written as no writer of today would write it, so that what is written anew shows.
pub(super) fn of_several_releases() -> Vec<NewEvent> {
    let stored = |event_type: &'static str, version, json: &'static str| {
        NewEvent::new(Uuid::now_v7(), event_type, version, Payload::new(json))
    };
    vec![
        stored("ConformanceAdded", 1, r#"{ "number" : 1.50, "by":"ada" }"#),
        stored(COUNTED, 2, r#"{"z":null,"number":2,"a":"\u00e9"}"#),
        stored(COUNTED, 4, r#"{"number":3,"note":"new"}"#).with_readable_from(3),
        stored("ConformanceAdded", 1, r#"{"number":1e2}"#),
    ]
}

/// Ends the rule unless events say what they were given to say, as JSON: a store may write it otherwise.
pub(super) fn ensure_untouched(read: &[RecordedEvent], given: &[NewEvent], from: &str) -> Verdict {
    ensure_eq!(read.len(), given.len(), "the number of events {from}");
    for (read, given) in read.iter().zip(given) {
        let name = &given.event_type;
        ensure_eq!(read.event_type, given.event_type, "the stored name {from}");
        ensure_eq!(read.schema_version, given.schema_version, "the version of `{name}` {from}");
        ensure_eq!(
            read.readable_from,
            given.readable_from,
            "the version from which `{name}` is readable {from}"
        );
        let said: serde_json::Value = serde_json::from_str(read.data.as_str())?;
        let expected: serde_json::Value = serde_json::from_str(given.data.as_str())?;
        ensure_eq!(said, expected, "the JSON of `{name}` {from}");
    }
    Ok(())
}
