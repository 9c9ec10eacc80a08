//! One call that runs a saga, as it is asked for.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;

use super::{Answer, SagaError};
use crate::metadata::{Cause, Metadata};

/// A saga that begins when this is awaited, or one on which a person decides.
///
/// What is said of it here, its log bears, and what its steps send by `.caused_by(cx)`. Run again under its id, a saga keeps what
/// was said first.
///
/// ```
/// use annals::prelude::*;
/// # struct Checkout;
/// # #[saga(name = "checkout", data = u64)]
/// # impl Checkout { #[step] async fn charge(_: &u64) {} }
///
/// # async fn run(sagas: SagaRunner) -> Result<(), SagaError> {
/// sagas.run::<Checkout>("o-1", 10).correlation_id("request-7").user("ada").await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a saga does not begin until this is awaited"]
pub struct SagaRun<T> {
    said: Metadata,
    run: Run<T>,
}

enum Run<T> {
    /// `None` while it is begun.
    Begins(Option<Begin<T>>),
    Goes(Answer<T>),
}

type Begin<T> = Box<dyn FnOnce(Metadata) -> Answer<T> + Send>;

impl<T> SagaRun<T> {
    pub(super) fn new<F>(run: impl FnOnce(Metadata) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<T, SagaError>> + Send + 'static,
    {
        let begin: Begin<T> = Box::new(move |said| run(said).boxed());
        Self { said: Metadata::default(), run: Run::Begins(Some(begin)) }
    }

    /// Names what caused the saga, as the event that a reactor was called for: it bears its correlation, user and headers.
    pub fn caused_by(mut self, cause: impl Into<Cause>) -> Self {
        let Metadata { correlation_id, causation_id, user, headers, .. } = cause.into().of_event();
        self.said.correlation_id = correlation_id;
        self.said.causation_id = causation_id;
        self.said.user = user;
        self.said.headers.extend(headers);
        self
    }

    /// Sets the id under which all that follows from one request is found; by default the name of the saga's log.
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.said.correlation_id = Some(id.into());
        self
    }

    /// Sets the id of what caused the saga.
    pub fn causation_id(mut self, id: impl Into<String>) -> Self {
        self.said.causation_id = Some(id.into());
        self
    }

    /// Sets who has the saga run.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.said.user = Some(user.into());
        self
    }

    /// Sets a header, which is stored with each record of the log.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.said.headers.insert(name.into(), value.into());
        self
    }
}

/// A future, not what turns into one: what takes futures, as `tokio::spawn` does, takes it as it is.
impl<T> Future for SagaRun<T> {
    type Output = Result<T, SagaError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { said, run } = &mut *self;
        if let Run::Begins(begin) = run
            && let Some(begin) = begin.take()
        {
            *run = Run::Goes(begin(mem::take(said)));
        }
        match run {
            Run::Goes(answer) => answer.poll_unpin(cx),
            // It panicked while it was begun.
            Run::Begins(_) => Poll::Pending,
        }
    }
}

impl<T> fmt::Debug for SagaRun<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaRun").field("said", &self.said).finish_non_exhaustive()
    }
}
