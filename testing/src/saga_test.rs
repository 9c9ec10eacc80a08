//! Tests of sagas: what is done, what is undone, and that a crash changes neither.

use std::any::Any;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use annals::saga::{CallOf, Direction, Saga, SagaData, SagaOutcome, saga};

use crate::saga_program::Program;

/// Begins a test of a saga; `services` makes what its steps call, anew for each run.
///
/// The saga is run as a runner runs it, without a runner, a store and a runtime: once undisturbed, and once for each point at which a
/// program can crash: before and after each record of its log, before and after each call. Each of these runs has to end the
/// same way, with the same data, and each expectation is held against all of them. What stands for a service in a test keeps
/// [`Calls`](crate::Calls), which takes two calls under one key for one.
///
/// Time is the test's: a step that sleeps, or takes longer than its `timeout` (a minute unless it says otherwise), keeps nobody
/// waiting. A step that waits for another thread, or for a socket, therefore counts as one that is not answered. A service that
/// panics does so in each run, and is heard each time.
///
/// ```
/// use annals::prelude::*;
/// use annals_testing::{Calls, given_saga, undo};
///
/// #[derive(Default)]
/// struct Bank {
///     charged: Calls<u64>,
///     refunded: Calls<u64>,
/// }
///
/// struct Checkout;
///
/// #[saga(name = "checkout", data = u64, services = Bank)]
/// impl Checkout {
///     #[step(undo = refund)]
///     async fn charge(total: &u64, bank: &Bank, cx: &StepContext) {
///         bank.charged.record(cx.idempotency_key(), *total);
///     }
///
///     async fn refund(total: &u64, bank: &Bank, cx: &StepContext) {
///         bank.refunded.record(cx.idempotency_key(), *total);
///     }
///
///     #[step]
///     async fn ship(_: &u64) {}
/// }
///
/// given_saga::<Checkout>(Bank::default)
///     .run("o-1", 10)
///     .then_completed()
///     .then_called(|bank| assert_eq!(bank.charged.made(), [10]));
///
/// given_saga::<Checkout>(Bank::default)
///     .failing_at("ship")
///     .run("o-1", 10)
///     .then_compensated("ship")
///     .then_called(|bank| assert_eq!(bank.refunded.made(), [10]));
///
/// given_saga::<Checkout>(Bank::default)
///     .failing_at("ship")
///     .failing_after(undo("charge"))
///     .run("o-1", 10)
///     .then_parked(["charge"]);
/// ```
pub fn given_saga<S: Saga>(services: impl Fn() -> S::Services + 'static) -> SagaTest<S> {
    SagaTest { services: Box::new(services), faults: Vec::new() }
}

/// The undo of a step, where a test names a call.
pub fn undo(step: impl Into<String>) -> CallName {
    CallName { step: step.into(), direction: Direction::Undo }
}

/// A step, or the undo of one: `"charge"`, or `undo("charge")`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallName {
    step: String,
    direction: Direction,
}

impl From<&str> for CallName {
    fn from(step: &str) -> Self {
        Self { step: step.to_owned(), direction: Direction::Do }
    }
}

impl CallName {
    pub(crate) fn is(&self, call: &CallOf) -> bool {
        self.step == call.step && self.direction == call.direction
    }
}

/// A saga under test, before it is run.
#[must_use = "a saga that is not run tests nothing"]
pub struct SagaTest<S: Saga> {
    services: Box<dyn Fn() -> S::Services>,
    faults: Vec<(CallName, Fault)>,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not made, and fails.
    FailsBefore,
    /// It is made, and fails then.
    FailsAfter,
    /// The program ends before its first try is made, and another goes on.
    CrashesBefore,
    /// The same after it was made.
    CrashesAfter,
}

impl<S: Saga> SagaTest<S> {
    /// Has each try of a call fail without an effect: the service is not asked.
    pub fn failing_at(self, call: impl Into<CallName>) -> Self {
        self.with(call, Fault::FailsBefore)
    }

    /// Has each try of a call fail after its effect, as when the answer is lost.
    pub fn failing_after(self, call: impl Into<CallName>) -> Self {
        self.with(call, Fault::FailsAfter)
    }

    /// Has the program end when a call is about to be made, in each run; another program goes on.
    pub fn crashing_at(self, call: impl Into<CallName>) -> Self {
        self.with(call, Fault::CrashesBefore)
    }

    /// Has the program end after the effect of a call, before the log knows of it, in each run; another program goes on.
    pub fn crashing_after(self, call: impl Into<CallName>) -> Self {
        self.with(call, Fault::CrashesAfter)
    }

    fn with(mut self, call: impl Into<CallName>, fault: Fault) -> Self {
        self.faults.push((call.into(), fault));
        self
    }

    /// Runs the saga: undisturbed, and with a crash at each point.
    ///
    /// # Panics
    ///
    /// If a run with a crash ends otherwise than the one without, a call that goes wrong is none of the saga's or never comes, or
    /// the data cannot be written.
    #[must_use = "a test without `.then_…(…)` expects nothing"]
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "as a runner takes it")]
    pub fn run(self, id: &str, data: S::Data) -> SagaRan<S> {
        let data = SagaData::of::<S>(&data)
            .unwrap_or_else(|error| panic!("the saga cannot begin: {error}"));
        let undisturbed = self.run_once(id, &data, usize::MAX);
        for (call, fault) in &self.faults {
            assert!(
                undisturbed.calls.iter().any(|made| call.is(made)),
                "`{}` is to be disturbed ({fault:?}), but is never called{}",
                shown(&call.step, call.direction),
                undisturbed.story()
            );
        }
        let mut runs = vec![undisturbed];
        for point in 0..runs[0].points {
            let run = self.run_once(id, &data, point);
            let first = &runs[0];
            let same_data = run.data.json.get() == first.data.json.get();
            assert!(
                run.outcome == first.outcome && same_data,
                "{} it ends otherwise: {:?} with {}, not {:?} with {}{}{}",
                first.after_a_crash(point, &run),
                run.outcome,
                run.data.json,
                first.outcome,
                first.data.json,
                run.called_again(),
                run.story()
            );
            runs.push(run);
        }
        SagaRan { runs }
    }

    fn run_once(&self, id: &str, data: &SagaData, crash: usize) -> Run<S> {
        let services = Arc::new((self.services)());
        let made = saga::<S>(services.clone());
        Program::new(&*made, id, self.faults.clone(), crash).run(data, services)
    }
}

/// A saga that was run: what came of it, in each run.
pub struct SagaRan<S: Saga> {
    /// The first is undisturbed.
    runs: Vec<Run<S>>,
}

/// One run.
pub(crate) struct Run<S: Saga> {
    pub(crate) services: Arc<S::Services>,
    pub(crate) outcome: SagaOutcome,
    pub(crate) data: SagaData,
    pub(crate) calls: Vec<CallOf>,
    pub(crate) log: Vec<String>,
    pub(crate) points: usize,
    /// What it was about when it crashed at its point.
    pub(crate) crashed: Option<String>,
}

impl<S: Saga> SagaRan<S> {
    /// Expects that all steps are done.
    ///
    /// # Panics
    ///
    /// If it ended otherwise.
    #[track_caller]
    pub fn then_completed(&self) -> &Self {
        self.expect("all steps are done", SagaOutcome::is_completed)
    }

    /// Expects that this step failed, and that those before it are undone.
    ///
    /// # Panics
    ///
    /// If it ended otherwise.
    #[track_caller]
    pub fn then_compensated(&self, step: &str) -> &Self {
        let expected = format!("`{step}` failed, and those before it are undone");
        self.expect(
            &expected,
            |outcome| matches!(outcome, SagaOutcome::Compensated { failed_step, .. } if failed_step == step),
        )
    }

    /// Expects that it waits for a person, with these steps not undone, in the order in which their undo was tried.
    ///
    /// # Panics
    ///
    /// If it ended otherwise.
    #[track_caller]
    pub fn then_parked<'a>(&self, steps: impl IntoIterator<Item = &'a str>) -> &Self {
        let steps: Vec<&str> = steps.into_iter().collect();
        self.expect(
            &format!("it waits for a person, with {steps:?} not undone"),
            |outcome| matches!(outcome, SagaOutcome::Parked { not_undone, .. } if *not_undone == steps),
        )
    }

    /// Expects these calls in the run without a crash, in their order, each try of each: `charge`, `undo charge`. In the others
    /// they are the same, but for those that came again after the crash.
    ///
    /// # Panics
    ///
    /// If there were others.
    #[track_caller]
    pub fn then_calls<'a>(&self, calls: impl IntoIterator<Item = &'a str>) -> &Self {
        let expected: Vec<&str> = calls.into_iter().collect();
        let run = &self.runs[0];
        let made: Vec<String> =
            run.calls.iter().map(|call| shown(&call.step, call.direction)).collect();
        assert!(made == expected, "expected calls {expected:?}, found {made:?}{}", run.story());
        for (point, other) in self.runs[1..].iter().enumerate() {
            assert!(
                other.each_once() == run.each_once(),
                "{} it makes other calls: {:?}{}",
                run.after_a_crash(point, other),
                other.calls,
                other.story()
            );
        }
        self
    }

    /// Looks at the services of each run.
    ///
    /// # Panics
    ///
    /// When `look` does; of a run with a crash, it says where that was.
    #[track_caller]
    pub fn then_called(&self, look: impl Fn(&S::Services)) -> &Self {
        let first = &self.runs[0];
        look(&first.services);
        for (point, run) in self.runs[1..].iter().enumerate() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| look(&run.services))) {
                let (after, again) = (first.after_a_crash(point, run), run.called_again());
                panic!(
                    "{after} the services are otherwise: {}{again}{}",
                    said(&*panic),
                    run.story()
                );
            }
        }
        self
    }

    /// Looks at the data with which it ended.
    ///
    /// # Panics
    ///
    /// If the data cannot be read.
    #[track_caller]
    pub fn then_data(&self, look: impl Fn(&S::Data)) -> &Self {
        look(&self.runs[0].data.read::<S>().expect("the data can be read"));
        self
    }

    #[track_caller]
    fn expect(&self, expected: &str, is_so: impl Fn(&SagaOutcome) -> bool) -> &Self {
        let run = &self.runs[0];
        assert!(
            is_so(&run.outcome),
            "expected that {expected}, found {:?}{}",
            run.outcome,
            run.story()
        );
        self
    }
}

impl<S: Saga> Run<S> {
    /// At which point of this run the other one crashed.
    fn after_a_crash(&self, point: usize, other: &Self) -> String {
        let place = other.crashed.as_deref().unwrap_or("it ended before");
        format!("after a crash at point {point} of {} ({place})", self.points)
    }

    /// Which calls came again.
    fn called_again(&self) -> String {
        let again = self.calls.windows(2).filter(|two| two[0] == two[1]);
        let again: Vec<String> =
            again.map(|two| format!("`{}`", shown(&two[0].step, two[0].direction))).collect();
        if again.is_empty() {
            return String::new();
        }
        format!("\ncalled again under its key: {}", again.join(", "))
    }

    /// Its calls without those that came again.
    fn each_once(&self) -> Vec<&CallOf> {
        let mut calls: Vec<&CallOf> = self.calls.iter().collect();
        calls.dedup();
        calls
    }

    fn story(&self) -> String {
        self.log.iter().fold(String::from("\nthe log:"), |told, record| told + "\n    " + record)
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panics")
}

pub(crate) fn shown(step: &str, direction: Direction) -> String {
    match direction {
        Direction::Undo => format!("undo {step}"),
        Direction::Do => step.to_owned(),
    }
}

impl<S: Saga> Debug for SagaTest<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SagaTest").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl<S: Saga> Debug for SagaRan<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SagaRan").field("outcome", &self.runs[0].outcome).finish_non_exhaustive()
    }
}
