//! Tests of sagas: what they find, and what they say.

use std::time::{Duration, Instant};

use annals::prelude::*;
use annals_testing::{Calls, given_saga, undo};

use crate::failure::failure_of;

#[derive(Default)]
struct Bank {
    charged: Calls<u64>,
    refunded: Calls<u64>,
    /// Each call, whatever its key.
    asked: std::sync::atomic::AtomicU32,
}

struct Checkout;

#[saga(name = "harness_checkout", data = u64, services = Bank)]
impl Checkout {
    #[step(undo = refund)]
    async fn charge(total: &mut u64, bank: &Bank, cx: &StepContext) {
        bank.charged.record(cx.idempotency_key(), *total);
        *total += 1;
    }

    async fn refund(total: &u64, bank: &Bank, cx: &StepContext) {
        bank.refunded.record(cx.idempotency_key(), *total);
    }

    #[step(undo = unpack, retries = 2)]
    async fn pack(_: &u64, bank: &Bank) {
        bank.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }

    async fn unpack() {}

    #[step]
    async fn ship(_: &u64) {}
}

#[test]
fn all_steps_are_done() {
    given_saga::<Checkout>(Bank::default)
        .run("o-1", 10)
        .then_completed()
        .then_calls(["charge", "pack", "ship"])
        .then_data(|total| assert_eq!(*total, 11))
        .then_called(|bank| assert_eq!(bank.charged.made(), [10]));
}

#[test]
fn a_step_fails_before_its_effect_and_after() {
    for test in [
        given_saga::<Checkout>(Bank::default).failing_at("ship"),
        given_saga::<Checkout>(Bank::default).failing_after("ship"),
    ] {
        test.run("o-1", 10)
            .then_compensated("ship")
            .then_calls(["charge", "pack", "ship", "undo pack", "undo charge"])
            .then_called(|bank| assert_eq!(bank.refunded.made(), [11]));
    }
    given_saga::<Checkout>(Bank::default)
        .failing_at("pack")
        .run("o-1", 10)
        .then_compensated("pack")
        .then_calls(["charge", "pack", "pack", "pack", "undo charge"]);
}

#[test]
fn an_undo_fails() {
    given_saga::<Checkout>(Bank::default)
        .failing_at("ship")
        .failing_after(undo("pack"))
        .run("o-1", 10)
        .then_parked(["pack"])
        .then_called(|bank| assert_eq!(bank.refunded.made(), [11]));
}

#[test]
fn a_program_crashes_before_an_effect_and_after() {
    given_saga::<Checkout>(Bank::default)
        .crashing_after("charge")
        .crashing_at("ship")
        .run("o-1", 10)
        .then_completed()
        .then_calls(["charge", "charge", "pack", "ship"])
        .then_called(|bank| assert_eq!(bank.charged.made(), [10]));
}

#[test]
fn what_passes_no_key_on_is_found() {
    let failure = failure_of(|| {
        given_saga::<Checkout>(Bank::default).run("o-1", 10).then_called(|bank| {
            let asked = bank.asked.load(std::sync::atomic::Ordering::SeqCst);
            assert_eq!(asked, 1, "packed again after a crash");
        });
    })
    .message;
    assert!(failure.contains("packed again after a crash"), "{failure}");
    let place =
        "after a crash at point 11 of 22 (after `pack` is called) the services are otherwise: ";
    assert!(failure.starts_with(place), "{failure}");
    assert!(failure.contains("\ncalled again under its key: `pack`\n"), "{failure}");
}

struct Forgetful;

static MADE: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

#[saga(name = "harness_forgetful", data = u64)]
impl Forgetful {
    #[step]
    async fn draw(number: &mut u64) {
        *number = MADE.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn what_ends_otherwise_after_a_crash_is_found() {
    let failure = failure_of(|| drop(given_saga::<Forgetful>(|| ()).run("f-1", 0))).message;
    assert!(
        failure.starts_with("after a crash at point 0 of 10 (before `begun` is logged) it ends otherwise: Completed with 1, not Completed with 0"),
        "{failure}"
    );
}

#[test]
fn another_end_is_told_with_the_log() {
    let failure = failure_of(|| {
        given_saga::<Checkout>(Bank::default).failing_at("ship").run("o-1", 10).then_completed();
    })
    .message;
    assert!(
        failure.starts_with("expected that all steps are done, found Compensated { failed_step: \"ship\", error: \"`ship` fails, says the test\" }\nthe log:\n    {\"begun\":"),
        "{failure}"
    );
    let failure = failure_of(|| {
        drop(given_saga::<Checkout>(Bank::default).failing_at("shop").run("o-1", 10));
    })
    .message;
    assert!(
        failure.starts_with("`shop` is to be disturbed (FailsBefore), but is never called"),
        "{failure}"
    );
}

/// It asks another service when it comes again.
struct Fickle;

#[saga(name = "harness_fickle", data = u64, services = Bank)]
impl Fickle {
    #[step]
    async fn first(_: &u64, bank: &Bank) -> Result<(), std::fmt::Error> {
        let asked = bank.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if asked == 0 { Err(std::fmt::Error) } else { Ok(()) }
    }
}

struct Tidy;

#[saga(name = "harness_tidy", data = u64, services = Bank)]
impl Tidy {
    #[step(retries = 1)]
    async fn first(_: &u64, bank: &Bank) -> Result<(), std::fmt::Error> {
        let asked = bank.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if asked == 0 { Err(std::fmt::Error) } else { Ok(()) }
    }
}

#[test]
fn other_calls_after_a_crash_are_found() {
    let failure = failure_of(|| {
        given_saga::<Tidy>(Bank::default).run("t-1", 0).then_calls(["first", "first"]);
    })
    .message;
    assert!(
        failure.starts_with(
            "after a crash at point 5 of 16 (after `first` is called) it makes other calls"
        ),
        "{failure}"
    );
    let failure = failure_of(|| drop(given_saga::<Fickle>(Bank::default).run("f-1", 0))).message;
    assert!(failure.contains("it ends otherwise: Completed"), "{failure}");
}

#[test]
fn it_ends_once_though_it_crashes_before_and_after_that_is_logged() {
    let failure = failure_of(|| {
        given_saga::<Checkout>(Bank::default).run("o-1", 10).then_compensated("ship");
    })
    .message;
    assert_eq!(failure.matches("\"outcome\"").count(), 1, "{failure}");
}

struct Sleepy;

#[saga(name = "harness_sleepy", data = u64, services = Bank)]
impl Sleepy {
    #[step(undo = refund)]
    async fn charge(total: &u64, bank: &Bank, cx: &StepContext) {
        tokio::time::sleep(Duration::from_secs(50)).await;
        bank.charged.record(cx.idempotency_key(), *total);
    }

    async fn refund(total: &u64, bank: &Bank, cx: &StepContext) {
        bank.refunded.record(cx.idempotency_key(), *total);
    }

    #[step(timeout = Duration::from_millis(50), retries = 1)]
    async fn ship(total: &u64, bank: &Bank, cx: &StepContext) {
        tokio::time::sleep(Duration::from_secs(50)).await;
        bank.charged.record(cx.idempotency_key(), *total);
    }
}

#[test]
fn a_timeout_is_a_runners_and_nobody_waits_for_it() {
    let begun = Instant::now();
    let ran = given_saga::<Sleepy>(Bank::default).run("s-1", 10);
    ran.then_compensated("ship").then_calls(["charge", "ship", "ship", "undo charge"]).then_called(
        |bank| assert_eq!((bank.charged.made(), bank.refunded.made()), (vec![10], vec![10])),
    );
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let failure = failure_of(|| {
        given_saga::<Sleepy>(Bank::default).run("s-1", 10).then_completed();
    })
    .message;
    assert!(failure.contains("it took longer than 50ms"), "{failure}");
}

struct Weighed;

#[saga(name = "harness_weighed", data = f64)]
impl Weighed {
    #[step]
    async fn weigh(_: &f64) {}
}

#[test]
fn what_no_runner_begins_is_not_run() {
    let failure = failure_of(|| drop(given_saga::<Weighed>(|| ()).run("w-1", f64::NAN))).message;
    assert!(
        failure.starts_with("the saga cannot begin: harness_weighed: its data does not read back"),
        "{failure}"
    );
}
