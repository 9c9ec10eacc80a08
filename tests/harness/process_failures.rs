//! What a failing test says of what processes take, and of what they send.

use std::time::Duration;

use annals_testing::{given_history, recorded, recorded_at};

use crate::failure::failure_of;
use crate::fulfilment::Fulfilment;
use crate::probe::{Act, Ping, Poked, Poker, Probe, WHERE};
use crate::processes::{at, confirmed, confirmed_of, declined, ping, poked, reserve, reserved};

const MINUTE: Duration = Duration::from_mins(1);

/// Checks what a failing test says, line by line.
pub fn check(test: impl FnOnce(), expected: &str) {
    let failure = failure_of(test);
    assert_eq!(failure.message, expected, "\n{}", failure.message);
}

/// Checks what a failing test says after the story.
pub fn check_why(test: impl FnOnce(), expected: &str) {
    let failure = failure_of(test);
    let why = failure.message[1..].split_once("\n\n").expect("a story comes first").1;
    assert_eq!(why, expected, "\n{}", failure.message);
}

pub fn probe() -> annals_testing::ProcessTest<Probe> {
    given_history([poked("a", Act::Begin)]).process()
}

pub fn both() -> annals_testing::ProcessTest<Fulfilment> {
    given_history([confirmed_of("o-1", 2), confirmed_of("o-2", 2)]).process()
}

#[test]
fn the_story_and_the_difference_are_shown_and_the_users_line() {
    let line = line!() + 5;
    let failure = failure_of(|| {
        given_history([confirmed(2)])
            .process::<Fulfilment>()
            .when_time_passes(15 * MINUTE)
            .then_commands(reserve(3));
    });
    assert_eq!(
        failure.message,
        r#"
  given  order-o-1: OrderConfirmed {"product":"p-1","quantity":2}
  sent   `o-1`: ReserveStock {"order":"o-1","product":"p-1","quantity":2}
  when   900s pass, until 2000-01-01T00:15:01Z
  fired  `o-1`: too_slow
  sent   `o-1`: CancelOrder {"order":"o-1","reason":"timed out"}

other commands than expected

  - expected   + found
  - ReserveStock {
  + CancelOrder {
      "order": "o-1",
  -   "product": "p-1",
  -   "quantity": 3
  +   "reason": "timed out"
    }
"#
    );
    assert_eq!((&*failure.file, failure.line), (file!(), line));
}

#[test]
fn other_commands_than_expected() {
    check(
        || {
            given_history([]).process::<Fulfilment>().when(confirmed(2)).then_no_commands();
        },
        r#"
  when   order-o-1: OrderConfirmed {"product":"p-1","quantity":2}
  sent   `o-1`: ReserveStock {"order":"o-1","product":"p-1","quantity":2}

other commands than expected

  - expected   + found
  - (no commands)
  + ReserveStock {
  +   "order": "o-1",
  +   "product": "p-1",
  +   "quantity": 2
  + }
"#,
    );
}

#[test]
fn commands_of_what_was_passed_over() {
    check(
        || {
            given_history([]).process::<Fulfilment>().when(reserved(2)).then_no_commands();
        },
        r#"
  when   stock-p-1: StockReserved {"order":"o-1","quantity":2}

the event was passed over: process `o-1` never began

expect that by `.then_skipped()`"#,
    );
}

#[test]
fn commands_of_what_is_done() {
    check_why(
        || {
            given_history([confirmed(2), reserved(2), declined()])
                .process::<Fulfilment>()
                .when(reserved(2))
                .then_no_commands();
        },
        "the event was passed over: process `o-1` is done

expect that by `.then_skipped()`",
    );
}

#[test]
fn commands_before_anything_happened() {
    check(
        || {
            given_history([confirmed(2)]).process::<Fulfilment>().then_commands(reserve(2));
        },
        r#"
  given  order-o-1: OrderConfirmed {"product":"p-1","quantity":2}
  sent   `o-1`: ReserveStock {"order":"o-1","product":"p-1","quantity":2}

nothing has happened yet: `.when(…)` and the like come first"#,
    );
}

#[test]
fn a_change_of_a_deadline_among_the_expected_commands() {
    check_why(
        || {
            probe().when(poked("a", Act::Forget)).then_commands((ping(1), Probe::FIRST.cancel()));
        },
        "a change of a deadline is no command: look at it by `.then_deadline(…)`",
    );
}

#[test]
fn a_refusal_of_what_was_never_sent() {
    check(
        || {
            let _ = both().when_not_found(reserve(3));
        },
        r#"
  given  order-o-1: OrderConfirmed {"product":"p-1","quantity":2}
  sent   `o-1`: ReserveStock {"order":"o-1","product":"p-1","quantity":2}
  given  order-o-2: OrderConfirmed {"product":"p-1","quantity":2}
  sent   `o-2`: ReserveStock {"order":"o-2","product":"p-1","quantity":2}
  when   refused ReserveStock {"order":"o-1","product":"p-1","quantity":3}: `stock-p-1` does not exist

command ReserveStock {"order":"o-1","product":"p-1","quantity":3} was never sent

on their way are:
  `o-1`: ReserveStock {"order":"o-1","product":"p-1","quantity":2}
  `o-2`: ReserveStock {"order":"o-2","product":"p-1","quantity":2}"#,
    );
}

#[test]
fn a_refusal_of_what_counts_as_accepted() {
    check(
        || {
            let _ = given_history([confirmed(2), reserved(2)])
                .process::<Fulfilment>()
                .when_not_found(reserve(2));
        },
        r#"
  given  order-o-1: OrderConfirmed {"product":"p-1","quantity":2}
  sent   `o-1`: ReserveStock {"order":"o-1","product":"p-1","quantity":2}
  given  stock-p-1: StockReserved {"order":"o-1","quantity":2}
  sent   `o-1`: ChargePayment {"order":"o-1"}
  when   refused ReserveStock {"order":"o-1","product":"p-1","quantity":2}: `stock-p-1` does not exist

command ReserveStock {"order":"o-1","product":"p-1","quantity":2} counts as accepted: its process has taken something since, or time has passed

on their way are:
  `o-1`: ChargePayment {"order":"o-1"}"#,
    );
}

#[test]
fn a_refusal_after_time_has_passed() {
    check_why(
        || {
            let test = given_history([confirmed(2)]).process::<Fulfilment>();
            let _ = test.when_time_passes(MINUTE).then_no_commands().when_not_found(reserve(2));
        },
        r#"command ReserveStock {"order":"o-1","product":"p-1","quantity":2} counts as accepted: its process has taken something since, or time has passed

on their way are:
  (no commands)"#,
    );
}

#[test]
fn a_refusal_where_nothing_is_on_its_way() {
    check_why(
        || {
            let _ = probe().when_not_found(ping(1));
        },
        r#"command Ping {"number":1,"probe":"a"} was never sent

on their way are:
  (no commands)"#,
    );
}

#[test]
fn a_refusal_of_what_several_processes_sent() {
    check(
        || {
            let both =
                |act| recorded::<Poker>("all", Poked { probes: vec!["a".into(), "b".into()], act });
            let ping = Ping { probe: "all".into(), number: 1 };
            let _ = given_history([both(Act::Begin), both(Act::PingAll(1))])
                .process::<Probe>()
                .when_not_found(ping);
        },
        r#"
  given  poker-all: Poked {"probes":["a","b"],"act":"Begin"}
  given  poker-all: Poked {"probes":["a","b"],"act":{"PingAll":1}}
  sent   `a`: Ping {"number":1,"probe":"all"}
  sent   `b`: Ping {"number":1,"probe":"all"}
  when   refused Ping {"number":1,"probe":"all"}: the aggregate of command `Ping` does not exist

several processes sent the command, `a`, `b`: say which is meant by `.of(…)`"#,
    );
}

#[test]
fn an_event_that_no_step_takes() {
    check(
        || {
            let _ = given_history([]).process::<Fulfilment>().when(poked("a", Act::Begin));
        },
        r#"
  when   poker-all: Poked {"probes":["a"],"act":"Begin"}

no `#[on]` of `fulfilment` takes the event; it takes OrderConfirmed, StockReserved, PaymentCharged, PaymentDeclined, OrderCancelled"#,
    );
}

#[test]
fn an_event_before_the_time_that_has_passed() {
    check(
        || {
            let late = recorded_at::<Poker>(
                "all",
                Poked { probes: Vec::new(), act: Act::Begin },
                at("2000-01-01T00:00:31Z"),
            );
            let _ = probe().when_time_passes(MINUTE).then_no_commands().when(late);
        },
        r#"
  given  poker-all: Poked {"probes":["a"],"act":"Begin"}
  when   60s pass, until 2000-01-01T00:01:01Z
  when   poker-all: Poked {"probes":[],"act":"Begin"}

the event was recorded at 2000-01-01T00:00:31Z, but it is 2000-01-01T00:01:01Z already"#,
    );
}

#[test]
fn a_step_that_depends_on_a_static() {
    check(
        || {
            let _ = probe().when(poked("a", Act::CountCalls));
        },
        r#"
  given  poker-all: Poked {"probes":["a"],"act":"Begin"}
  when   poker-all: Poked {"probes":["a"],"act":"CountCalls"}

process `a` does something else when it takes the same again: a step depends on what is neither in its state nor in what it takes, as a clock, a random number or a static

  - first   + again
    state {
      "refusals": [],
      "remembered": [],
      "share": 0.0
    }
    Ping {
  -   "number": 0,
  +   "number": 1,
      "probe": "a"
    }
"#,
    );
}

#[test]
fn a_step_that_depends_on_a_static_in_what_is_given() {
    check_why(
        || {
            let _ = given_history([poked("a", Act::Begin), poked("a", Act::CountCalls)])
                .process::<Probe>();
        },
        r#"process `a` does something else when it takes the same again: a step depends on what is neither in its state nor in what it takes, as a clock, a random number or a static

  - first   + again
    state {
      "refusals": [],
      "remembered": [],
      "share": 0.0
    }
    Ping {
  -   "number": 0,
  +   "number": 1,
      "probe": "a"
    }
"#,
    );
}

#[test]
fn a_key_that_depends_on_a_static() {
    check_why(
        || {
            let _ = probe().when(poked("!", Act::Begin));
        },
        r#"the event goes to ["0"], and asked again, to ["1"]: a key depends on what is not in its event

  poker-all: Poked {"probes":["!"],"act":"Begin"}"#,
    );
}

#[test]
fn an_event_that_is_taken_a_second_time() {
    check_why(
        || {
            WHERE.set("a");
            let test = given_history([poked("?", Act::Begin)]).process::<Probe>();
            WHERE.set("b");
            let _ = test.when_time_passes(MINUTE);
        },
        r#"process `b` takes an event that is delivered a second time: poker-all: Poked {"probes":["?"],"act":"Begin"}"#,
    );
}

#[test]
fn a_state_that_does_not_read_back() {
    check(
        || {
            let _ = probe().when(poked("a", Act::NotANumber)).then_no_commands();
        },
        r#"
  given  poker-all: Poked {"probes":["a"],"act":"Begin"}
  when   poker-all: Poked {"probes":["a"],"act":"NotANumber"}
  parked `a`: the state does not read back as it was written: the state of version 1 cannot be read: invalid type: null, expected f64 at line 1 column 43

process `a` is parked: the state does not read back as it was written: the state of version 1 cannot be read: invalid type: null, expected f64 at line 1 column 43

expect that by `.then_parked(…)`"#,
    );
}
