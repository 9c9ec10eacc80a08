//! Faults of what writers are told.

use annals::{Conflict, Expected};

use super::{
    CONFLICT, EMPTY, FAILED, TWICE_SENT, add, call, plant, remove, sent, stored, stream, unknown,
};
use crate::history::check::Kind;
use crate::history::record::{History, Told};

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
fn a_writer_without_an_answer() {
    plant(|history| history.calls[TWICE_SENT].told[0] = Told::Silence, &[Kind::Silence]);
}
