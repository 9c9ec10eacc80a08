//! Faults of what readers see.

use super::{id, plant, remove};
use crate::history::check::Kind;

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
fn an_owner_that_passed_an_event() {
    plant(
        |history| {
            history.sessions[1].reading.seen.remove(1);
        },
        &[Kind::Passed],
    );
    // It begins where nobody acknowledged.
    plant(
        |history| {
            history.sessions[2].reading.from = 8;
            history.sessions[2].reading.seen.remove(0);
        },
        &[Kind::Passed],
    );
}

#[test]
fn an_owner_that_began_before_what_was_acknowledged() {
    plant(|history| history.sessions[1].acks[1].accepted = Some(7), &[]);
    plant(|history| history.sessions[0].acks[1].accepted = Some(2), &[Kind::WentBack]);
}

#[test]
fn a_durable_subscription_that_does_not_come_to_the_end() {
    plant(
        |history| {
            history.sessions.pop();
        },
        &[Kind::Behind],
    );
}
