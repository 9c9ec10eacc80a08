//! What a failing test of a reactor says.

use std::sync::atomic::{AtomicU32, Ordering};

use annals::prelude::*;
use annals_testing::{Calls, given_history, recorded};

use crate::failure::failure_of;
use crate::reactors::{cancelled, confirmed, notices, notices_without_mail, reserve};
use crate::shop::*;

/// Checks what a failing test says, line by line.
#[track_caller]
fn check(test: impl FnOnce(), expected: &str) {
    let failure = failure_of(test);
    assert_eq!(failure.message, expected, "\n{}", failure.message);
}

/// Checks what a failing test says after the story.
#[track_caller]
fn check_why(test: impl FnOnce(), expected: &str) {
    let failure = failure_of(test);
    let why = failure.message[1..].split_once("\n\n").expect("a story comes first").1;
    assert_eq!(why, expected, "\n{}", failure.message);
}

#[test]
fn the_story_and_the_difference_are_shown_and_the_users_line() {
    let line = line!() + 2;
    let failure = failure_of(|| {
        notices().when([confirmed("o-2", 0), confirmed("o-1", 2)]).then_commands(reserve(3));
    });
    assert_eq!(
        failure.message,
        r#"
  when   order-o-2: OrderConfirmed {"product":"p-1","quantity":0}
  called `order-o-2`
  when   order-o-1: OrderConfirmed {"product":"p-1","quantity":2}
  called `order-o-1`
  sent   `order-o-1`: ReserveStock {"order":"o-1","product":"p-1","quantity":2}

other commands than expected

  - expected   + found
    ReserveStock {
      "order": "o-1",
      "product": "p-1",
  -   "quantity": 3
  +   "quantity": 2
    }
"#
    );
    assert_eq!((&*failure.file, failure.line), (file!(), line));
}

#[test]
fn a_failure_that_is_not_expected() {
    let why = "the call for `order-o-1` failed: the mail server is down\n\nexpect that by `.then_failed(…)`";
    check(
        || {
            notices_without_mail().when(confirmed("o-1", 2)).then_commands(reserve(2));
        },
        &format!(
            r#"
  given  order-o-0: OrderConfirmed {{"product":"p-1","quantity":2}}
  when   order-o-1: OrderConfirmed {{"product":"p-1","quantity":2}}
  failed `order-o-1`: the mail server is down

{why}"#
        ),
    );
    check_why(
        || {
            notices_without_mail().when(confirmed("o-1", 2)).then_called(|_| {});
        },
        why,
    );
    check_why(
        || {
            let _ = notices_without_mail().when(confirmed("o-1", 2)).when(confirmed("o-2", 0));
        },
        why,
    );
}

#[test]
fn another_failure_or_none() {
    check_why(
        || {
            notices_without_mail().when(confirmed("o-1", 2)).then_failed("no such address");
        },
        "expected a call that fails with `no such address`, found\n\n  `order-o-1`: the mail server is down",
    );
    check_why(
        || {
            notices().when(confirmed("o-1", 2)).then_failed("mail server");
        },
        "expected a call that fails, but none did",
    );
}

#[test]
fn nothing_has_happened_or_nothing_was_called() {
    check(
        || {
            notices().then_no_commands();
        },
        "\n\n\nnothing has happened yet: `.when(…)` comes first",
    );
    let passed_over =
        "the event was passed over: it goes to no key\n\nexpect that by `.then_not_called()`";
    check_why(
        || {
            notices().when(cancelled("too dear")).then_no_commands();
        },
        passed_over,
    );
    check_why(
        || {
            notices().when(cancelled("too dear")).then_called(|_| {});
        },
        passed_over,
    );
    check_why(
        || {
            notices().when(cancelled("for Ada")).then_not_called();
        },
        "expected no call, but there was one for `Ada`",
    );
}

#[test]
fn an_event_that_it_does_not_take() {
    check(
        || {
            let restocked =
                recorded::<Stock>("p-1", StockReleased { order: "o-1".into(), quantity: 2 });
            let _ = notices().when(restocked);
        },
        r#"
  when   stock-p-1: StockReleased {"order":"o-1","quantity":2}

no `#[on]` of `notices` takes the event; it takes OrderConfirmed, PaymentCharged, OrderCancelled, OrderShipped"#,
    );
}

#[test]
fn a_call_that_does_something_else_when_it_is_made_again() {
    check(
        || {
            let _ = notices().when(recorded::<Order>("o-1", OrderShipped));
        },
        r#"
  when   order-o-1: OrderShipped null
  called `order-o-1`
  sent   `order-o-1`: CancelOrder {"order":"o-1","reason":"0"}

the call for `order-o-1` returns other commands when it is made again: they depend on what is not in the event, as a clock, a random number or a service

  - first   + again
    CancelOrder {
      "order": "o-1",
  -   "reason": "0"
  +   "reason": "1"
    }
"#,
    );
    check_why(
        || {
            let _ = notices().when(recorded::<Order>("once", OrderShipped));
        },
        "the call for `order-once` fails when it is made again: the mail server is down\n\nan event comes at least once: by `cx.idempotency_key()`, who is called can tell a second call",
    );
}

#[test]
fn an_event_without_a_key() {
    struct Wrong;

    #[reactor(name = "wrong_key")]
    impl Wrong {
        #[on(key = |event| event.reason.strip_prefix("for ").expect("a name").to_owned())]
        async fn cancelled(_: &OrderCancelled) {}
    }

    check_why(
        || {
            let _ = given_history([]).reactor::<Wrong>(()).when(cancelled(""));
        },
        "the event names no key: panicked: a name",
    );
}

#[test]
fn a_key_that_is_not_of_its_event() {
    struct Counting;

    static COUNT: AtomicU32 = AtomicU32::new(0);

    #[reactor(name = "counting_keys")]
    impl Counting {
        #[on(key = |_| COUNT.fetch_add(1, Ordering::Relaxed))]
        async fn cancelled(_: &OrderCancelled) {}
    }

    check_why(
        || {
            let _ = given_history([]).reactor::<Counting>(()).when(cancelled(""));
        },
        r#"the event goes to ["0"], and asked again, to ["1"]: a key depends on what is not in its event"#,
    );
}

#[test]
fn a_key_that_stands_for_two_calls() {
    let calls = Calls::default();
    calls.record("k-1", 1);
    calls.record("k-1", 1);
    check(|| calls.record("k-1", 2), "idempotency key `k-1` stands for two calls: 1, then 2");
    assert_eq!(calls.made(), [1]);
}
