//! A sound history is accepted, and each fault that is planted in it is found.

mod keys;
mod log;
mod readers;
mod writers;

use std::collections::HashSet;

use annals::{Conflict, Expected, Position, Receipt, StreamHead, StreamId, Timestamp};
use uuid::Uuid;

use crate::history::check::{Kind, check};
use crate::history::record::{Ack, Call, Entry, History, Reading, Sent, Session, Told};

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn stream(name: &str) -> StreamId {
    StreamId::new("planted", name)
}

fn sent(name: &str, expected: Expected, events: &[u128]) -> Sent {
    let events = events.iter().copied().map(id).collect();
    Sent { stream_id: stream(name), expected, events, key: None }
}

fn call(sent: impl Into<Vec<Sent>>, told: impl Into<Vec<Told>>) -> Call {
    Call { writer: 0, sent: sent.into(), row: None, told: told.into() }
}

/// The instant of a position.
fn at(position: u64) -> Timestamp {
    Timestamp::from_micros(1_000 + i64::try_from(position).unwrap())
}

fn receipt(name: &str, version: u64, position: u64, events: u64) -> Receipt {
    let head = StreamHead::new(version, Position::from(position), at(position));
    Receipt::new(stream(name), head, events)
}

fn stored(name: &str, version: u64, position: u64, events: u64) -> Told {
    Told::Stored(vec![receipt(name, version, position, events)])
}

fn unknown() -> Told {
    Told::Unknown("the connection was lost".to_owned())
}

fn key_used(receipt: Receipt) -> Told {
    Told::KeyUsed { stream_id: receipt.stream_id.clone(), key: "k".to_owned(), receipt }
}

fn with_key(mut sent: Sent) -> Sent {
    sent.key = Some("k".to_owned());
    sent
}

fn session(reading: Reading, asked: u64, acks: &[(u64, Option<u64>)]) -> Session {
    let acks = acks.iter().map(|&(position, accepted)| Ack { position, accepted }).collect();
    Session { reading, asked, acks }
}

/// The places of the calls in the sound history.
const KEYED: usize = 3;
const TWICE_SENT: usize = 5;
const CONFLICT: usize = 2;
const FAILED: usize = 7;
const EMPTY: usize = 8;

/// A history with one of everything that may happen. Event `n` is number `n` of the log; position 3 was never used.
fn sound() -> History {
    let conflict = Conflict::new(stream("a"), Expected::Exact(2), 3);
    let calls = vec![
        call([sent("a", Expected::NoStream, &[1, 2])], [stored("a", 2, 2, 2)]),
        call(
            [sent("a", Expected::Exact(2), &[3]), sent("b", Expected::Any, &[4])],
            [Told::Stored(vec![receipt("a", 3, 4, 1), receipt("b", 1, 5, 1)])],
        ),
        call([sent("a", Expected::Exact(2), &[90])], [Told::Conflict(conflict)]),
        call([with_key(sent("b", Expected::Any, &[5]))], [stored("b", 2, 6, 1)]),
        call([with_key(sent("b", Expected::Any, &[91]))], [key_used(receipt("b", 2, 6, 1))]),
        call([sent("a", Expected::Any, &[6])], [unknown(), stored("a", 4, 7, 1)]),
        call([sent("a", Expected::Any, &[92, 93])], [unknown()]),
        call([sent("a", Expected::Any, &[94])], [Told::Failed("no room".to_owned())]),
        call([sent("a", Expected::Exact(4), &[])], [stored("a", 4, 7, 0)]),
        call([sent("b", Expected::Exact(2), &[7, 8])], [unknown()]),
    ];
    let log: Vec<Entry> = [
        (1, "a", 1, 1),
        (2, "a", 2, 2),
        (3, "a", 3, 4),
        (4, "b", 1, 5),
        (5, "b", 2, 6),
        (6, "a", 4, 7),
        (7, "b", 3, 8),
        (8, "b", 4, 9),
    ]
    .map(|(number, name, version, position)| Entry {
        position,
        id: id(number),
        stream_id: stream(name),
        version,
        recorded_at: at(position),
    })
    .into();
    let reading = |reader: &str, from: u64| Reading {
        reader: reader.to_owned(),
        from,
        seen: log.iter().filter(|entry| entry.position > from).cloned().collect(),
        reached: 9,
    };
    let part = |from: u64, reached: u64| Reading {
        reader: format!("session from {from}"),
        from,
        seen: log
            .iter()
            .filter(|entry| entry.position > from && entry.position <= reached)
            .cloned()
            .collect(),
        reached,
    };
    let events_of = |name: &str| {
        let events = log.iter().filter(|entry| entry.stream_id == stream(name)).cloned();
        (stream(name), events.collect::<Vec<_>>())
    };
    History {
        calls,
        readings: vec![reading("one", 0), reading("other", 2)],
        sessions: vec![
            session(part(0, 4), 1, &[(2, Some(2)), (4, None)]),
            // Whether 4 was acknowledged, nobody knew.
            session(part(2, 7), 3, &[(6, Some(4)), (7, Some(5))]),
            session(part(7, 9), 6, &[]),
        ],
        streams: vec![events_of("a"), events_of("b")],
        keys: vec![(stream("b"), "k".to_owned(), Some(receipt("b", 2, 6, 1)))],
        rows: HashSet::from(["there".to_owned()]),
        log,
    }
}

/// Changes the sound history, and checks what is found.
fn plant(change: impl FnOnce(&mut History), expected: &[Kind]) {
    let mut history = sound();
    change(&mut history);
    let faults = check(&history);
    let mut kinds: Vec<Kind> = faults.iter().map(|fault| fault.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, expected, "{faults:#?}");
}

/// Removes an event from the log and from all that was read, as if it had never been stored.
fn remove(history: &mut History, number: u128) {
    let is_other = |entry: &Entry| entry.id != id(number);
    history.log.retain(is_other);
    let sessions = history.sessions.iter_mut().map(|session| &mut session.reading);
    let readings = history.readings.iter_mut().chain(sessions);
    readings.for_each(|reading| reading.seen.retain(is_other));
    history.streams.iter_mut().for_each(|(_, events)| events.retain(is_other));
}

/// Adds an event to the log's end, seen by all.
fn add(history: &mut History, number: u128, name: &str, version: u64) {
    let position = history.log.last().unwrap().position + 1;
    let entry = Entry {
        position,
        id: id(number),
        stream_id: stream(name),
        version,
        recorded_at: at(position),
    };
    let last = history.sessions.last_mut().map(|session| &mut session.reading);
    for reading in history.readings.iter_mut().chain(last) {
        reading.seen.push(entry.clone());
        reading.reached = position;
    }
    let of = history.streams.iter_mut().find(|(stream_id, _)| *stream_id == entry.stream_id);
    of.unwrap().1.push(entry.clone());
    history.log.push(entry);
}

#[test]
fn a_sound_history_is_accepted() {
    plant(|_| {}, &[]);
}
