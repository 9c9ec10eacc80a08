//! A sound history is accepted, and each fault that is planted in it is found.

use std::collections::HashSet;

use annals::{Conflict, Expected, Position, Receipt, StreamHead, StreamId, Timestamp};
use uuid::Uuid;

use crate::history::check::{Kind, check};
use crate::history::record::{Call, Entry, History, Reading, Sent, Told};

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
    let events_of = |name: &str| {
        let events = log.iter().filter(|entry| entry.stream_id == stream(name)).cloned();
        (stream(name), events.collect::<Vec<_>>())
    };
    History {
        calls,
        readings: vec![reading("one", 0), reading("other", 2)],
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
    history.readings.iter_mut().for_each(|reading| reading.seen.retain(is_other));
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
    for reading in &mut history.readings {
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

#[test]
fn an_event_told_stored_and_not_there() {
    plant(
        |history| {
            history.calls.push(call([sent("a", Expected::Any, &[95])], [stored("a", 5, 10, 1)]));
        },
        &[Kind::Lost],
    );
    // Also when it was the second answer that said so.
    plant(|history| remove(history, 6), &[Kind::Lost, Kind::WrongReceipt]);
}

#[test]
fn an_event_there_and_told_a_conflict() {
    plant(|history| add(history, 90, "a", 5), &[Kind::Refused, Kind::Unexpected]);
    plant(
        |history| {
            history.calls[CONFLICT].sent[0].expected = Expected::Exact(4);
            let told = Conflict::new(stream("a"), Expected::Exact(4), 3);
            history.calls[CONFLICT].told = vec![unknown(), Told::Conflict(told)];
            add(history, 90, "a", 5);
        },
        &[Kind::Refused],
    );
}

#[test]
fn an_event_there_and_told_another_refusal() {
    plant(|history| add(history, 94, "a", 5), &[Kind::Refused]);
    plant(|history| add(history, 91, "b", 5), &[Kind::Refused, Kind::DoneTwice]);
    // Once the outcome was unknown, a failure of the second try says nothing of the first.
    plant(
        |history| {
            history.calls[FAILED].told.insert(0, unknown());
            add(history, 94, "a", 5);
        },
        &[],
    );
}

#[test]
fn a_call_there_in_part() {
    plant(|history| add(history, 92, "a", 5), &[Kind::InPart]);
    plant(|history| remove(history, 4), &[Kind::Lost, Kind::InPart, Kind::Gap]);
}

#[test]
fn a_row_without_its_events_and_events_without_their_row() {
    let write = |call: usize, row: &str| {
        let row = row.to_owned();
        move |history: &mut History| history.calls[call].row = Some(row)
    };
    plant(write(TWICE_SENT, "there"), &[]);
    plant(write(FAILED, "not there"), &[]);
    plant(write(TWICE_SENT, "not there"), &[Kind::InPart]);
    plant(write(FAILED, "there"), &[Kind::InPart]);
}

#[test]
fn an_event_that_nobody_sent() {
    plant(|history| add(history, 99, "a", 5), &[Kind::Unsent]);
}

#[test]
fn a_gap_in_a_stream() {
    plant(
        |history| {
            history.calls.push(call([sent("a", Expected::Any, &[95])], [unknown()]));
            add(history, 95, "a", 6);
        },
        &[Kind::Gap],
    );
}

#[test]
fn a_repeat_in_a_stream() {
    plant(
        |history| {
            history.calls.push(call([sent("a", Expected::Any, &[95])], [unknown()]));
            add(history, 95, "a", 4);
        },
        &[Kind::Repeat],
    );
}

#[test]
fn an_event_that_is_there_twice() {
    plant(
        |history| add(history, 6, "a", 5),
        &[Kind::Repeat, Kind::SeenTwice, Kind::OrderDiffers, Kind::Moved],
    );
}

#[test]
fn a_stream_whose_instants_go_back() {
    let early = |entry: &mut Entry| entry.recorded_at = at(1);
    plant(
        |history| {
            early(&mut history.log[7]);
            history.readings.iter_mut().for_each(|reading| early(reading.seen.last_mut().unwrap()));
            early(history.streams[1].1.last_mut().unwrap());
        },
        &[Kind::Gap],
    );
}

#[test]
fn an_append_that_others_came_into() {
    plant(
        |history| {
            history.calls.push(call([sent("a", Expected::Any, &[95, 97])], [unknown()]));
            history.calls.push(call([sent("a", Expected::Any, &[96])], [unknown()]));
            add(history, 95, "a", 5);
            add(history, 96, "a", 6);
            add(history, 97, "a", 7);
        },
        &[Kind::Disorder],
    );
}

#[test]
fn a_reader_that_passed_an_event() {
    for passed in 0..8 {
        plant(
            |history| {
                history.readings[0].seen.remove(passed);
            },
            &[Kind::Passed],
        );
    }
    // What lies before where it began, and after where it is, it did not pass.
    plant(
        |history| {
            history.readings[1].from = 4;
            history.readings[1].seen.remove(0);
        },
        &[],
    );
}

#[test]
fn a_reader_that_does_not_come_to_the_end() {
    plant(
        |history| {
            history.readings[0].seen.pop();
            history.readings[0].reached = 8;
        },
        &[Kind::Behind],
    );
}

#[test]
fn a_reader_that_saw_what_is_not_there() {
    plant(
        |history| {
            let mut phantom = history.log[0].clone();
            phantom.id = id(92);
            history.readings[1].seen.push(phantom);
        },
        &[Kind::Phantom],
    );
}

#[test]
fn a_reader_that_saw_an_event_twice() {
    plant(
        |history| {
            let again = history.readings[0].seen[7].clone();
            history.readings[0].seen.push(again);
        },
        &[Kind::SeenTwice],
    );
}

#[test]
fn order_that_differs_between_readers() {
    plant(|history| history.readings[0].seen.swap(3, 4), &[Kind::OrderDiffers]);
    // Also of what the log does not have in the end.
    plant(
        |history| {
            remove(history, 7);
            remove(history, 8);
            let entry = |number: u128| {
                let mut entry = history.log[0].clone();
                entry.id = id(number);
                entry
            };
            let (one, other) = (entry(7), entry(8));
            history.readings[0].seen.extend([one.clone(), other.clone()]);
            history.readings[1].seen.extend([other, one]);
        },
        &[Kind::Phantom, Kind::OrderDiffers],
    );
}

#[test]
fn an_event_that_moved_after_it_was_seen() {
    plant(|history| history.readings[0].seen[2].position = 3, &[Kind::Moved]);
    plant(|history| history.readings[0].seen[2].version = 2, &[Kind::Moved]);
}

#[test]
fn a_stream_that_differs_from_the_log() {
    plant(|history| history.streams[1].1.swap(0, 1), &[Kind::Moved]);
    plant(
        |history| {
            history.streams[0].1.pop();
        },
        &[Kind::Moved],
    );
}

#[test]
fn an_append_where_it_was_not_expected() {
    let expect = |expected: Expected| {
        move |history: &mut History| history.calls[TWICE_SENT].sent[0].expected = expected
    };
    plant(expect(Expected::Exact(3)), &[]);
    plant(expect(Expected::Exact(2)), &[Kind::Unexpected]);
    plant(expect(Expected::NoStream), &[Kind::Unexpected]);
}

#[test]
fn a_conflict_that_is_none() {
    let tell = |expected: Expected, actual: u64| {
        move |history: &mut History| {
            let conflict = Conflict::new(stream("a"), expected, actual);
            history.calls[CONFLICT].told = vec![Told::Conflict(conflict)];
        }
    };
    plant(tell(Expected::Exact(2), 4), &[]);
    // What was expected; a version that was never reached; another expectation.
    plant(tell(Expected::Exact(2), 2), &[Kind::FalseConflict]);
    plant(tell(Expected::Exact(2), 5), &[Kind::FalseConflict]);
    plant(tell(Expected::Exact(1), 3), &[Kind::FalseConflict]);
}

#[test]
fn a_receipt_that_says_something_else() {
    let tell = |told: Told| move |history: &mut History| history.calls[TWICE_SENT].told[1] = told;
    plant(tell(stored("a", 3, 7, 1)), &[Kind::WrongReceipt]);
    plant(tell(stored("a", 4, 6, 1)), &[Kind::WrongReceipt]);
    plant(tell(stored("a", 4, 7, 2)), &[Kind::WrongReceipt]);
    plant(tell(stored("b", 4, 7, 1)), &[Kind::WrongReceipt]);
    plant(tell(Told::Stored(Vec::new())), &[Kind::WrongReceipt]);
    let tell = |told: Told| move |history: &mut History| history.calls[EMPTY].told = vec![told];
    plant(tell(stored("a", 5, 7, 0)), &[Kind::WrongReceipt]);
    plant(tell(stored("a", 3, 4, 0)), &[Kind::WrongReceipt]);
}

#[test]
fn an_idempotent_command_that_is_done_twice() {
    plant(
        |history| {
            history.calls.push(call([with_key(sent("b", Expected::Any, &[95]))], [unknown()]));
            add(history, 95, "b", 5);
        },
        &[Kind::DoneTwice],
    );
    // Of a command without events, only the answer tells.
    plant(
        |history| {
            let again = with_key(sent("b", Expected::Any, &[]));
            history.calls.push(call([again], [stored("b", 4, 9, 0)]));
        },
        &[Kind::DoneTwice],
    );
}

#[test]
fn a_key_that_says_something_else() {
    plant(
        |history| history.calls[KEYED + 1].told = vec![key_used(receipt("b", 1, 5, 1))],
        &[Kind::WrongKey],
    );
    plant(|history| history.keys[0].2 = None, &[Kind::WrongKey]);
    plant(|history| history.keys[0].2 = Some(receipt("b", 3, 8, 1)), &[Kind::WrongKey]);
    // Nobody claimed it that was done.
    plant(
        |history| {
            history.calls[KEYED].sent[0].key = None;
        },
        &[Kind::WrongKey],
    );
}

#[test]
fn a_writer_without_an_answer() {
    plant(|history| history.calls[TWICE_SENT].told[0] = Told::Silence, &[Kind::Silence]);
}
