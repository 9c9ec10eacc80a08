//! What a saga's runner can answer beside an outcome.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;

use crate::bus::SetupError;
use crate::codec::{DecodeError, EncodeError};
use crate::projection::message_of;
use crate::store::StoreError;

/// What a saga's runner could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SagaError {
    /// The program as a whole is wrong: names that clash, services that are missing.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The store could not be read or written. Run again under its id, the saga goes on.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data could not be written as JSON, or would not be read again. Nothing was begun.
    #[error("the data of the saga cannot be kept as JSON")]
    Data(#[from] EncodeError),
    /// A saga was begun under this id before, with other data.
    #[error(
        "saga `{saga}` was begun under the id `{id}` before, with other data; begin another one under an id of its own"
    )]
    OtherData {
        /// The saga.
        saga: &'static str,
        /// The id.
        id: String,
    },
    /// No saga was begun under this id.
    #[error("saga `{saga}` was never begun under the id `{id}`")]
    NotBegun {
        /// The saga.
        saga: &'static str,
        /// The id.
        id: String,
    },
    /// It does not wait for a person: it has ended, runs, or can go on.
    #[error("saga `{saga}` of the id `{id}` is not parked: see `parked()`")]
    NotParked {
        /// The saga.
        saga: &'static str,
        /// The id.
        id: String,
    },
    /// Its log cannot be read by this program.
    #[error("the log of saga `{saga}` of the id `{id}` cannot be read")]
    Unreadable {
        /// The saga.
        saga: &'static str,
        /// The id.
        id: String,
        /// Why.
        source: DecodeError,
    },
    /// It cannot go on in this program. Its log stays as it is: a program that can takes it up.
    #[error("saga `{saga}` of the id `{id}` cannot go on: {reason}")]
    Stuck {
        /// The saga.
        saga: &'static str,
        /// The id.
        id: String,
        /// Why.
        reason: String,
    },
    /// The runner is shut down. Its sagas go on with another one.
    #[error("the runner of sagas is shut down; the saga goes on with another one")]
    ShutDown,
    /// What runs took longer than one was willing to wait.
    #[error("{running} sagas still run after {patience:?}")]
    Late {
        /// How many.
        running: usize,
        /// How long was waited.
        patience: Duration,
    },
}

impl SagaError {
    /// Whether it is no matter of one saga: none can go on now.
    pub(super) fn is_of_all(&self) -> bool {
        match self {
            Self::ShutDown => true,
            Self::Store(error) => error.is_unavailable(),
            _ => false,
        }
    }
}

/// Has a panic told as any other error: codecs, clocks and recorders are the user's.
pub(super) async fn unless_it_panics<T>(
    work: impl Future<Output = Result<T, SagaError>>,
) -> Result<T, SagaError> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.unwrap_or_else(|panic| Err(StoreError::invalid(panicked(&*panic)).into()))
}

/// What is said of a panic.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> String {
    format!("panicked: {}", message_of(panic))
}
