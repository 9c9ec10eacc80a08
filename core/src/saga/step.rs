//! One step of a saga: what it calls, what undoes it, and what it is told.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;

use super::Saga;
use super::record::{CallOf, Direction};
use crate::metadata::{Cause, Metadata};

/// What a step's call gives back.
pub type StepFuture<'a> = BoxFuture<'a, Result<(), Box<dyn Error + Send + Sync>>>;

/// A call of a step, or of its undo: it takes the data, the services, and what the step is told.
type Call<S> = for<'a> fn(
    &'a mut <S as Saga>::Data,
    &'a <S as Saga>::Services,
    &'a StepContext,
) -> StepFuture<'a>;

/// A step of the saga `S`; `#[step]` writes it.
pub struct SagaStep<S: Saga> {
    pub(super) rules: StepRules,
    pub(super) action: Call<S>,
    pub(super) undo: Option<Call<S>>,
}

/// What is known of a step without its types.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepRules {
    /// The name under which the log keeps it.
    pub name: &'static str,
    /// How often it is tried again.
    pub retries: u32,
    /// How long a try may take, of the step or of its undo; as long as the runner says if it is not given.
    pub timeout: Option<Duration>,
    /// Whether it can be undone.
    pub has_undo: bool,
}

/// How often an undo is tried again.
const UNDO_RETRIES: u32 = 5;

impl StepRules {
    /// How often a call is tried again: the step as it says, its undo five times.
    pub fn retries_of(&self, direction: Direction) -> u32 {
        match direction {
            Direction::Do => self.retries,
            Direction::Undo => UNDO_RETRIES,
        }
    }
}

impl<S: Saga> SagaStep<S> {
    /// Makes a step that is tried once and cannot be undone. Its name is kept in the log, and contains no `/`.
    pub fn new(name: &'static str, action: Call<S>) -> Self {
        let rules = StepRules { name, retries: 0, timeout: None, has_undo: false };
        Self { rules, action, undo: None }
    }

    /// Says what undoes it.
    #[must_use]
    pub fn with_undo(mut self, undo: Call<S>) -> Self {
        self.rules.has_undo = true;
        self.undo = Some(undo);
        self
    }

    /// Says how often it is tried again when it fails.
    #[must_use]
    pub fn with_retries(mut self, retries: u32) -> Self {
        self.rules.retries = retries;
        self
    }

    /// Says how long a try of it may take, and of its undo.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.rules.timeout = Some(timeout);
        self
    }

    /// What is known of it without its types.
    pub fn rules(&self) -> &StepRules {
        &self.rules
    }
}

impl<S: Saga> fmt::Debug for SagaStep<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaStep").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// What a step, or an undo, is told: the last parameter of a `#[step]`.
///
/// ```
/// use annals::saga::StepContext;
///
/// let cx = StepContext::of_step("checkout", "o-1", "charge");
/// assert_eq!(cx.idempotency_key(), "checkout/charge/do/o-1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepContext {
    saga: &'static str,
    id: String,
    call: CallOf,
    key: String,
    cause: Cause,
}

impl StepContext {
    /// Makes what the first try of a step is told: for tests of a step by itself.
    pub fn of_step(saga: &'static str, id: &str, step: &str) -> Self {
        Self::new(saga, id, &CallOf { step: step.to_owned(), direction: Direction::Do, attempt: 1 })
    }

    pub(crate) fn new(saga: &'static str, id: &str, call: &CallOf) -> Self {
        // The id comes last: it may contain what separates the others.
        let key = format!("{saga}/{}/{}/{id}", call.step, call.direction.word());
        Self { saga, id: id.to_owned(), call: call.clone(), key, cause: Cause::default() }
    }

    /// Says which record of the saga's log begins the call, and with which metadata.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = cause.into();
        self
    }

    /// The key under which the step has its effect once: the same for each try and after a crash, another for its undo.
    pub fn idempotency_key(&self) -> &str {
        &self.key
    }

    /// The name of the saga.
    pub fn saga(&self) -> &'static str {
        self.saga
    }

    /// The id under which the saga was begun.
    pub fn saga_id(&self) -> &str {
        &self.id
    }

    /// The name of the step.
    pub fn step(&self) -> &str {
        &self.call.step
    }

    /// Which try it is, from 1. A call that comes again after a crash is the same try.
    pub fn attempt(&self) -> u32 {
        self.call.attempt
    }

    /// Whether the step is undone.
    pub fn is_undo(&self) -> bool {
        self.call.direction == Direction::Undo
    }

    /// Who caused the saga, and why: the correlation, the user and the headers with which it was begun. What the step sends has
    /// them by `.caused_by(cx)`.
    pub fn metadata(&self) -> &Metadata {
        self.cause.metadata()
    }

    pub(super) fn call(&self) -> &CallOf {
        &self.call
    }
}

impl From<&StepContext> for Cause {
    fn from(cx: &StepContext) -> Self {
        cx.cause.clone()
    }
}

/// What a step returns: nothing, or a `Result` of nothing and any error.
#[diagnostic::on_unimplemented(
    message = "a step or an undo of a saga cannot return `{Self}`",
    label = "neither nothing nor a `Result` of nothing",
    note = "it returns nothing, or `Result<(), E>` with any error; what it found out, it writes into its data"
)]
pub trait StepOutcome {
    /// What came of the step.
    ///
    /// # Errors
    ///
    /// When the step failed.
    fn into_outcome(self) -> Result<(), Box<dyn Error + Send + Sync>>;
}

impl StepOutcome for () {
    fn into_outcome(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }
}

impl<E: StepFailure> StepOutcome for Result<(), E> {
    fn into_outcome(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.map_err(StepFailure::into_error)
    }
}

/// What a step fails with: any error, and whatever turns into one.
#[diagnostic::on_unimplemented(
    message = "a step or an undo of a saga cannot fail with `{Self}`",
    label = "no error that goes from thread to thread",
    note = "write `#[derive(Debug, thiserror::Error)]` on it, or give back a `String`; any `std::error::Error` will do that is `Send` and `Sync`, and a boxed one is `Box<dyn Error + Send + Sync>`"
)]
pub trait StepFailure {
    /// The error.
    fn into_error(self) -> Box<dyn Error + Send + Sync>;
}

#[diagnostic::do_not_recommend]
impl<E: Into<Box<dyn Error + Send + Sync>>> StepFailure for E {
    fn into_error(self) -> Box<dyn Error + Send + Sync> {
        self.into()
    }
}
