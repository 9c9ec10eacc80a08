//! What came of a command, and what a test expects of it.

use std::fmt::Debug;

use annals::{
    Aggregate, EventEnum, Handle, HandledBy, HandlerError, IntoEvents, Metadata, Timestamp,
};

use crate::given::{Given, ServicesOf};
use crate::report;
use crate::scenario::{Failure, Scenario, json_of};

/// What came of a command.
///
/// A command that is refused fails the test unless the test expects it, by [`then_error`](Self::then_error) and the like,
/// before the next command or the end of the chain.
pub struct When<A: Aggregate, S, E> {
    scenario: Scenario<A>,
    services: S,
    outcome: Result<Vec<A::Event>, Failure<E>>,
    unexpected: Unexpected,
}

/// A refusal that no test has expected yet: dropped as one, it fails the test.
struct Unexpected(Option<String>);

impl Drop for Unexpected {
    fn drop(&mut self) {
        if let Some(refusal) = self.0.take()
            && !std::thread::panicking()
        {
            panic!("{refusal}\n\nexpect it by `.then_error(…)`, `.then_not_found()` and the like");
        }
    }
}

#[expect(
    clippy::return_self_not_must_use,
    reason = "an expectation may end the chain; what it returns is for those that go on"
)]
impl<A: Aggregate, S, E: Debug> When<A, S, E> {
    pub(crate) fn new(
        scenario: Scenario<A>,
        services: S,
        outcome: Result<Vec<A::Event>, Failure<E>>,
    ) -> Self {
        let refusal = outcome.as_ref().err().map(|failure| {
            let story = report::story(scenario.story());
            format!("{story}\n\nthe command was {}", failure.in_words())
        });
        Self { scenario, services, outcome, unexpected: Unexpected(refusal) }
    }

    /// Expects exactly these events, in this order.
    ///
    /// # Panics
    ///
    /// If others came, or the command was refused.
    #[track_caller]
    pub fn then(self, events: impl IntoEvents<A>) -> Self {
        let mut expected = Vec::new();
        events.extend_into(&mut expected);
        let found = self.events();
        if !same_events(&expected, found) {
            self.fail(&format!(
                "other events than expected\n\n{}",
                report::diff(
                    &report::events(&expected),
                    &report::events(found),
                    "expected",
                    "found"
                )
            ));
        }
        self
    }

    /// Expects that the command was accepted, and nothing happened.
    ///
    /// # Panics
    ///
    /// If events came, or the command was refused.
    #[track_caller]
    pub fn then_nothing(self) -> Self {
        self.then(())
    }

    /// Looks at the events that came.
    ///
    /// # Panics
    ///
    /// If the command was refused, or the look fails.
    #[track_caller]
    pub fn then_events(self, look: impl FnOnce(&[A::Event])) -> Self {
        look(self.events());
        self
    }

    /// Expects that the handler refused with this error.
    ///
    /// # Panics
    ///
    /// If it did not.
    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a test has the error at hand, and no use for it afterwards"
    )]
    pub fn then_error(mut self, expected: E) -> Self
    where
        E: PartialEq,
    {
        match &self.outcome {
            Err(Failure::Rejected(error)) if *error == expected => {}
            Err(Failure::Rejected(error)) => self.fail(&format!(
                "another error than expected\n\n{}",
                report::diff(
                    &format!("{expected:#?}"),
                    &format!("{error:#?}"),
                    "expected",
                    "found"
                )
            )),
            _ => self.fail(&format!("expected the error {expected:?}, {}", self.found())),
        }
        self.unexpected.0 = None;
        self
    }

    /// Expects that the handler refused with an error of which this is true.
    ///
    /// # Panics
    ///
    /// If it did not.
    #[track_caller]
    pub fn then_error_matches(mut self, is_expected: impl FnOnce(&E) -> bool) -> Self {
        match &self.outcome {
            Err(Failure::Rejected(error)) if is_expected(error) => {}
            Err(Failure::Rejected(error)) => {
                self.fail(&format!("the error is not the expected one: {error:?}"));
            }
            _ => self.fail(&format!("expected an error, {}", self.found())),
        }
        self.unexpected.0 = None;
        self
    }

    /// Expects that the command was refused since the aggregate does not exist.
    ///
    /// # Panics
    ///
    /// If it was not.
    #[track_caller]
    pub fn then_not_found(mut self) -> Self {
        if !matches!(self.outcome, Err(Failure::NotFound)) {
            self.fail(&format!("expected that the aggregate does not exist, {}", self.found()));
        }
        self.unexpected.0 = None;
        self
    }

    /// Expects that the command was refused since the aggregate exists already.
    ///
    /// # Panics
    ///
    /// If it was not.
    #[track_caller]
    pub fn then_already_exists(mut self) -> Self {
        if !matches!(self.outcome, Err(Failure::AlreadyExists)) {
            self.fail(&format!("expected that the aggregate exists already, {}", self.found()));
        }
        self.unexpected.0 = None;
        self
    }

    /// Looks at the state after the command; after a refused one, it is the state before it.
    ///
    /// # Panics
    ///
    /// If there is none, the look fails, or the command was refused and the test did not expect it.
    #[track_caller]
    pub fn then_state(self, look: impl FnOnce(&A)) -> Self {
        self.ensure_expected();
        match self.scenario.state() {
            Some(state) => look(state),
            None => self.fail("expected a state, but the aggregate does not exist"),
        }
        self
    }

    /// Expects that the aggregate does not exist after the command: it never did, or it has ended.
    ///
    /// # Panics
    ///
    /// If it exists, or the command was refused and the test did not expect it.
    #[track_caller]
    pub fn then_no_state(self) -> Self {
        self.ensure_expected();
        if self.scenario.state().is_some() {
            self.fail("expected no state, but the aggregate exists");
        }
        self
    }

    /// Has the next command decided on what came of this one.
    ///
    /// # Panics
    ///
    /// If this one was refused and the test did not expect it.
    #[must_use = "a test without `.then…(…)` expects nothing"]
    #[track_caller]
    pub fn when<C>(self, command: C) -> When<A, S, HandlerError<A, C>>
    where
        C: HandledBy<A>,
        A: Handle<C>,
        S: ServicesOf<A>,
    {
        self.go_on().when(command)
    }

    /// Adds events to the stream, as if another had stored them.
    ///
    /// # Panics
    ///
    /// If the command was refused and the test did not expect it.
    #[track_caller]
    pub fn and_given(self, events: impl IntoEvents<A>) -> Given<A, S> {
        self.go_on().and_given(events)
    }

    /// Sets the instant at which what follows happens.
    ///
    /// # Panics
    ///
    /// If the command was refused and the test did not expect it.
    #[track_caller]
    pub fn at(self, instant: Timestamp) -> Given<A, S> {
        self.go_on().at(instant)
    }

    /// Sets the metadata of the commands that follow.
    ///
    /// # Panics
    ///
    /// If the command was refused and the test did not expect it.
    #[track_caller]
    pub fn with_metadata(self, metadata: Metadata) -> Given<A, S> {
        self.go_on().with_metadata(metadata)
    }

    #[track_caller]
    fn go_on(self) -> Given<A, S> {
        self.ensure_expected();
        Given::new(self.scenario, self.services)
    }

    #[track_caller]
    fn ensure_expected(&self) {
        if let (Err(failure), Some(_)) = (&self.outcome, &self.unexpected.0) {
            self.fail(&format!("the command was {}", failure.in_words()));
        }
    }

    #[track_caller]
    fn events(&self) -> &[A::Event] {
        match &self.outcome {
            Ok(events) => events,
            Err(failure) => {
                self.fail(&format!("expected events, but the command was {}", failure.in_words()))
            }
        }
    }

    fn found(&self) -> String {
        match &self.outcome {
            Ok(events) if events.is_empty() => {
                "but the command was accepted, without events".to_owned()
            }
            Ok(events) => format!("but events came:\n\n{}", report::events(events)),
            Err(failure) => format!("but the command was {}", failure.in_words()),
        }
    }

    #[track_caller]
    fn fail(&self, why: &str) -> ! {
        panic!("{}\n\n{why}", report::story(self.scenario.story()));
    }
}

fn same_events<E: EventEnum>(expected: &[E], found: &[E]) -> bool {
    let same = |(one, other): (&E, &E)| {
        one.event_type() == other.event_type()
            && json_of(one) == json_of(other)
            && one.same_event(other).unwrap_or(true)
    };
    expected.len() == found.len() && expected.iter().zip(found).all(same)
}
