//! What a failing test says of a process that waits for a person, and of the deadlines, the end and the state of one.

use std::time::Duration;

use annals_testing::given_history;

use crate::failure::failure_of;
use crate::fulfilment::{Fulfilment, Stage};
use crate::probe::{Act, Probe};
use crate::process_failures::{both, check, check_why, probe};
use crate::processes::{
    at, confirmed, confirmed_of, declined, fulfilment, poked, reserve, reserved,
};

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn a_deadline_that_no_process_has() {
    check_why(
        || {
            both().then_deadline("slow", at("2000-01-01T00:15:01Z"));
        },
        "`fulfilment` has no deadline `slow`; it has too_slow",
    );
}

#[test]
fn a_deadline_at_another_instant() {
    check_why(
        || {
            both().of("o-2").then_deadline("too_slow", at("2000-01-01T00:15:01Z"));
        },
        "deadline `too_slow` of process `o-2`: expected 2000-01-01T00:15:01Z, found 2000-01-01T00:15:02Z",
    );
}

#[test]
fn a_deadline_that_is_not_set() {
    check_why(
        || {
            probe().then_deadline(Probe::FIRST, at("2000-01-01T00:15:01Z"));
        },
        "deadline `first` of process `a` is not set",
    );
}

#[test]
fn a_deadline_that_is_set() {
    check_why(
        || {
            both().then_no_deadlines();
        },
        "deadline `too_slow` of process `o-1` is set, for 2000-01-01T00:15:01Z",
    );
}

#[test]
fn deadlines_without_an_end() {
    check_why(
        || {
            let _ = probe()
                .when(poked("a", Act::WaitUntil(at("2000-01-01T00:00:10Z"))))
                .when_time_passes(MINUTE);
        },
        "deadlines fire without an end: 1000 of them, one after the other",
    );
}

#[test]
fn done_but_it_lives() {
    check_why(
        || {
            given_history([confirmed(2)]).process::<Fulfilment>().then_done();
        },
        r#"expected that process `o-1` is done, but it lives: {
  "product": "p-1",
  "quantity": 2,
  "stage": "Reserving"
}"#,
    );
}

#[test]
fn done_but_it_never_began() {
    check_why(
        || {
            given_history([]).process::<Fulfilment>().when(reserved(2)).then_done();
        },
        "expected that process `o-1` is done, but it never began",
    );
}

#[test]
fn done_but_none_began() {
    check_why(
        || {
            given_history([]).process::<Fulfilment>().then_done();
        },
        "expected that the process is done, but none began",
    );
}

#[test]
fn not_done_but_it_is() {
    check_why(
        || {
            given_history([confirmed(2), reserved(2), declined()])
                .process::<Fulfilment>()
                .then_not_done();
        },
        "expected that process `o-1` lives, but it is done",
    );
}

#[test]
fn not_done_but_none_began() {
    check_why(
        || {
            given_history([]).process::<Fulfilment>().then_not_done();
        },
        "expected that the process lives, but none began",
    );
}

#[test]
fn another_state() {
    check(
        || {
            given_history([confirmed(2)])
                .process::<Fulfilment>()
                .then_state(fulfilment(Stage::GivenUp));
        },
        r#"
  given  order-o-1: OrderConfirmed {"product":"p-1","quantity":2}
  sent   `o-1`: ReserveStock {"order":"o-1","product":"p-1","quantity":2}

process `o-1` has another state than expected

  - expected   + found
    {
      "product": "p-1",
      "quantity": 2,
  -   "stage": "GivenUp"
  +   "stage": "Reserving"
    }
"#,
    );
}

#[test]
fn a_state_of_what_is_done() {
    check_why(
        || {
            given_history([confirmed(2), reserved(2), declined()])
                .process::<Fulfilment>()
                .then_state(fulfilment(Stage::GivenUp));
        },
        "expected a state, but process `o-1` is done",
    );
}

#[test]
fn a_state_of_several() {
    check_why(
        || {
            both().then_state(fulfilment(Stage::Reserving));
        },
        "several processes are in play, `o-1`, `o-2`: look at one by `.of(…)`",
    );
}

#[test]
fn a_state_of_none() {
    check_why(
        || {
            given_history([]).process::<Fulfilment>().then_state(fulfilment(Stage::Reserving));
        },
        "no process began",
    );
}

#[test]
fn a_state_of_one_that_never_began() {
    check_why(
        || {
            given_history([])
                .process::<Fulfilment>()
                .when(reserved(2))
                .of("o-1")
                .then_state(fulfilment(Stage::Reserving));
        },
        "expected a state, but process `o-1` never began",
    );
}

#[test]
fn skipped_but_it_was_taken() {
    check_why(
        || {
            both().when(reserved(2)).then_skipped();
        },
        "expected that the event is passed over, but process `o-1` took it",
    );
}

#[test]
fn a_parked_process_that_nobody_expects() {
    check(
        || {
            probe().when(poked("a", Act::Panic)).then_no_commands();
        },
        r#"
  given  poker-all: Poked {"probes":["a"],"act":"Begin"}
  when   poker-all: Poked {"probes":["a"],"act":"Panic"}
  parked `a`: panicked: poked too hard

process `a` is parked: panicked: poked too hard

expect that by `.then_parked(…)`"#,
    );
}

#[test]
fn a_parked_process_that_nobody_expects_before_the_next_event() {
    check_why(
        || {
            let _ = probe().when(poked("a", Act::Panic)).when(poked("a", Act::Forget));
        },
        "process `a` is parked: panicked: poked too hard

expect that by `.then_parked(…)`",
    );
}

#[test]
fn a_parked_process_among_what_was_given() {
    check(
        || {
            given_history([confirmed(2), confirmed(2)]).process::<Fulfilment>().then_not_done();
        },
        r#"
  given  order-o-1: OrderConfirmed {"product":"p-1","quantity":2}
  sent   `o-1`: ReserveStock {"order":"o-1","product":"p-1","quantity":2}
  given  order-o-1: OrderConfirmed {"product":"p-1","quantity":2}
  parked `o-1`: the event begins the process, but it lives; take `#[on(upsert)]` and `Option<Self>` if it may

process `o-1` is parked: the event begins the process, but it lives; take `#[on(upsert)]` and `Option<Self>` if it may

expect that by `.then_parked(…)`"#,
    );
}

#[test]
fn a_parked_process_that_is_not_there() {
    check_why(
        || {
            probe().when(poked("a", Act::Forget)).then_parked("panicked");
        },
        "expected a parked process, but none is",
    );
}

#[test]
fn a_parked_process_for_another_reason() {
    check_why(
        || {
            probe().when(poked("a", Act::Panic)).then_parked("refused");
        },
        "expected a parked process with `refused`, found

  `a`: panicked: poked too hard",
    );
}

#[test]
fn a_process_that_nobody_has() {
    check_why(
        || {
            both().when(confirmed_of("o-3", 1)).of("0-1").then_no_commands();
        },
        "no process `0-1` is in play; there are `o-1`, `o-2`, `o-3`",
    );
    check_why(
        || {
            let _ = both().of("o-3").when_refused(reserve(2), "no");
        },
        "no process `o-3` is in play; there are `o-1`, `o-2`",
    );
}

#[test]
fn a_process_where_there_are_none() {
    let failure = failure_of(|| {
        let _ = given_history([]).process::<Fulfilment>().of("o-1");
    });
    let expected = "no process `o-1` is in play: nothing that has happened goes to one";
    assert!(failure.message.ends_with(expected), "\n{}", failure.message);
}
