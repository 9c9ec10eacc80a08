//! The event that tells how a saga ended.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Saga, SagaData, SagaOutcome, manager};
use crate::codec::DecodeError;
use crate::event::Event;

/// How a saga ended: the last event of its log. Reactors, process managers and projections take it as any other.
///
/// ```
/// use annals::prelude::*;
/// # struct Checkout;
/// # #[saga(name = "checkout", data = u64)]
/// # impl Checkout { #[step] async fn charge(_: &u64) {} }
///
/// struct Outcomes;
///
/// #[reactor(name = "outcomes")]
/// impl Outcomes {
///     #[on(key = |event| event.id_of::<Checkout>().map(str::to_owned))]
///     async fn ended(event: &SagaEnded) {
///         println!("{}: {:?}", event.id, event.outcome);
///     }
/// }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SagaEnded {
    /// The name of the saga.
    pub saga: String,
    /// The id under which it was begun.
    pub id: String,
    /// How it ended: never [`Parked`](SagaOutcome::Parked), for then it has not.
    pub outcome: SagaOutcome,
    /// The data that it ended with, as its steps left it.
    pub data: SagaData,
}

impl SagaEnded {
    /// Tells that a saga ended: for tests of what takes it.
    ///
    /// # Panics
    ///
    /// When the data cannot be written as JSON.
    pub fn of<S: Saga>(id: impl Into<String>, outcome: SagaOutcome, data: &S::Data) -> Self {
        let data = manager::write::<S>(data).expect("the data can be written as JSON");
        Self { saga: S::NAME.to_owned(), id: id.into(), outcome, data }
    }

    /// The id, if it is one of the sagas `S`: for `key = |event| event.id_of::<Checkout>()…`.
    pub fn id_of<S: Saga>(&self) -> Option<&str> {
        (self.saga == S::NAME).then_some(&*self.id)
    }

    /// The data that the saga `S` ended with.
    ///
    /// # Errors
    ///
    /// When it is that of another saga, or cannot be read.
    pub fn data<S: Saga>(&self) -> Result<S::Data, DecodeError> {
        if self.saga != S::NAME {
            let reason = format!("it is of saga `{}`, not of `{}`", self.saga, S::NAME);
            return Err(DecodeError::new(Self::NAME, reason));
        }
        manager::read::<S>(&self.data)
    }

    /// The data as JSON.
    ///
    /// # Errors
    ///
    /// When it is no JSON value.
    pub fn json(&self) -> Result<Value, DecodeError> {
        serde_json::from_str(self.data.json.get())
            .map_err(|error| DecodeError::content(Self::NAME, &error))
    }
}

impl Event for SagaEnded {
    const NAME: &'static str = "annals/saga_ended";
}
