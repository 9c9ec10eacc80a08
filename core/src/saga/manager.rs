//! A saga without its types: what runners and harnesses run.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::value::to_raw_value;

use super::content::Content;
use super::record::{Direction, SagaData};
use super::step::{SagaStep, StepRules};
use super::{Saga, StepContext};
use crate::causes::chain;
use crate::codec::{DecodeError, EncodeError};
use crate::projection::message_of;
use crate::upcast::read_versioned;

/// Why a call has no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The data cannot be read by this program, so that nothing was called.
    #[error(transparent)]
    Unreadable(DecodeError),
    /// The call failed or panicked.
    #[error("{0}")]
    Failed(String),
}

/// A saga without its types. [`saga`] makes it.
pub trait AnySaga: fmt::Debug + Send + Sync + 'static {
    /// The name under which its logs are kept.
    fn name(&self) -> &'static str;

    /// Its steps, in their order.
    fn steps(&self) -> &[StepRules];

    /// What is known of a step, if there is one of this name.
    fn rules(&self, step: &str) -> Option<&StepRules> {
        self.steps().iter().find(|rules| rules.name == step)
    }

    /// Whether a saga that was begun with `kept` is meant by one that begins it with `given`.
    ///
    /// # Errors
    ///
    /// When what is kept cannot be read.
    fn is_begun_with(&self, kept: &SagaData, given: &SagaData) -> Result<bool, DecodeError>;

    /// Looks whether the program can read a saga's data.
    ///
    /// # Errors
    ///
    /// When it cannot.
    fn can_read(&self, data: &SagaData) -> Result<(), DecodeError>;

    /// Makes one try of a step, or of its undo, on a copy of the data; gives it back as the call leaves it. What it is told,
    /// [`Instance::context`](super::Instance::context) makes.
    ///
    /// # Errors
    ///
    /// When the call fails or panics, or the data cannot be read.
    fn call<'a>(
        &'a self,
        cx: &'a StepContext,
        data: &'a SagaData,
    ) -> BoxFuture<'a, Result<SagaData, CallError>>;
}

/// The saga `S` without its types, with what its steps call: for runners and harnesses.
pub fn saga<S: Saga>(services: Arc<S::Services>) -> Arc<dyn AnySaga> {
    let steps = S::steps();
    let rules = steps.iter().map(|step| step.rules.clone()).collect();
    Arc::new(Typed::<S> { steps, rules, services })
}

struct Typed<S: Saga> {
    steps: Vec<SagaStep<S>>,
    rules: Vec<StepRules>,
    services: Arc<S::Services>,
}

impl<S: Saga> Typed<S> {
    async fn call(&self, cx: &StepContext, data: &SagaData) -> Result<SagaData, CallError> {
        let call = cx.call();
        let failed = |reason: String| CallError::Failed(reason);
        let step = self.steps.iter().find(|step| step.rules.name == call.step);
        let called = step.and_then(|step| match call.direction {
            Direction::Do => Some(step.action),
            Direction::Undo => step.undo,
        });
        let Some(called) = called else {
            let what =
                if call.direction == Direction::Undo { "no undo of step" } else { "no step" };
            return Err(failed(format!("the program has {what} `{}` any more", call.step)));
        };
        let mut data = read::<S>(data).map_err(CallError::Unreadable)?;
        // What makes the future is the user's, too.
        let made = AssertUnwindSafe(async { called(&mut data, &self.services, cx).await });
        match made.catch_unwind().await {
            Ok(Ok(())) => {}
            // The error may panic when it is asked what it says.
            Ok(Err(error)) => {
                let said = catch_unwind(AssertUnwindSafe(|| chain(&*error)));
                return Err(failed(said.unwrap_or_else(|panic| panicked(&*panic))));
            }
            Err(panic) => return Err(failed(panicked(&*panic))),
        }
        write_readable::<S>(&data).map_err(failed)
    }
}

impl<S: Saga> AnySaga for Typed<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn steps(&self) -> &[StepRules] {
        &self.rules
    }

    fn is_begun_with(&self, kept: &SagaData, given: &SagaData) -> Result<bool, DecodeError> {
        let content = |data: &SagaData| {
            Content::of(&data.json).map_err(|error| DecodeError::content(S::NAME, &error))
        };
        let given = content(given)?;
        if content(kept)? == given {
            return Ok(true);
        }
        // What an earlier release wrote differently may be the same.
        let again =
            write::<S>(&read::<S>(kept)?).map_err(|error| DecodeError::content(S::NAME, &error))?;
        Ok(content(&again)? == given)
    }

    fn can_read(&self, data: &SagaData) -> Result<(), DecodeError> {
        read::<S>(data).map(drop)
    }

    fn call<'a>(
        &'a self,
        cx: &'a StepContext,
        data: &'a SagaData,
    ) -> BoxFuture<'a, Result<SagaData, CallError>> {
        Typed::call(self, cx, data).boxed()
    }
}

impl<S: Saga> fmt::Debug for Typed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saga")
            .field("name", &S::NAME)
            .field("steps", &self.rules)
            .finish_non_exhaustive()
    }
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    format!("panicked: {}", message_of(panic))
}

/// Writes data that a program can go on with, or says why it is none.
pub(super) fn write_readable<S: Saga>(data: &S::Data) -> Result<SagaData, String> {
    let written = catch_unwind(AssertUnwindSafe(|| {
        let json = to_raw_value(data)
            .map_err(|error| format!("its data cannot be written as JSON: {error}"))?;
        let written = SagaData::new(S::VERSION, Arc::from(json));
        // What is not read back would hold the saga up at its next step.
        read::<S>(&written)
            .map(|_| written)
            .map_err(|error| format!("its data does not read back as it was written: {error}"))
    }));
    written.unwrap_or_else(|panic| Err(panicked(&*panic)))
}

/// Writes data at its present version.
pub(super) fn write<S: Saga>(data: &S::Data) -> Result<SagaData, EncodeError> {
    let json = to_raw_value(data).map_err(|error| EncodeError::new(S::NAME, &error))?;
    Ok(SagaData::new(S::VERSION, Arc::from(json)))
}

/// Reads data, through the steps from its version up to the present one.
pub(super) fn read<S: Saga>(data: &SagaData) -> Result<S::Data, DecodeError> {
    let read = catch_unwind(AssertUnwindSafe(|| {
        read_versioned(data.version, S::VERSION, data.json.get(), S::upcast)
    }));
    read.unwrap_or_else(|panic| Err(panicked(&*panic))).map_err(|reason| {
        let reason = format!("the data of version {} cannot be read: {reason}", data.version);
        DecodeError::new(S::NAME, reason)
    })
}
