//! Faults of idempotency keys.

use annals::Expected;

use super::{KEYED, add, call, key_used, plant, receipt, sent, stored, unknown, with_key};
use crate::history::check::Kind;

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
