//! Faults of the log by itself.

use annals::Expected;

use super::{add, at, call, plant, sent, unknown};
use crate::history::check::Kind;
use crate::history::record::Entry;

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
            early(history.sessions[2].reading.seen.last_mut().unwrap());
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
