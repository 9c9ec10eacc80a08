//! Sagas: steps against services that are not event-sourced, each undone if a later one fails.
//!
//! A saga's log is a stream of its own. Each step is written there before it is called, and after it with the data as it
//! leaves it, so that a crash at any point goes on where it was: the step that was under way is called again, with the same
//! [`idempotency key`](StepContext::idempotency_key). When a step fails, those that are done are undone in reverse; an undo
//! that keeps failing is parked for a person, and the others still run.
//!
//! [`Instance`] is one saga as its log tells, and knows no store: runner and harness run the same. The
//! [runner](SagaRunner) makes the calls. Events in and commands out, over minutes or months, are a
//! [process](mod@crate::process)'s.

mod content;
mod ended;
mod instance;
mod manager;
mod outcome;
mod record;
mod runner;
mod step;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use self::ended::SagaEnded;
pub use self::instance::{Backoff, Instance, Next, UnknownStep};
pub use self::manager::{AnySaga, CallError, saga};
pub use self::outcome::{NotUndone, SagaOutcome};
pub use self::record::{CallOf, Direction, Owner, RECORD, SagaData, SagaRecord, category_of};
pub(crate) use self::runner::SagasSeen;
#[cfg(feature = "cli")]
pub(crate) use self::runner::{Entry, Journal, Kept, Listed, Logged, asked_of, seat_id};
pub use self::runner::{
    ParkedList, ParkedSaga, SagaError, SagaRun, SagaRunner, SagaRunnerBuilder, SagasStatus,
    StuckSaga,
};
pub use self::step::{SagaStep, StepContext, StepFailure, StepFuture, StepOutcome, StepRules};
use crate::upcast::UpcastError;

/// Steps that are done one after the other, and undone in reverse when one fails.
///
/// [`#[saga]`](macro@crate::prelude::saga) writes this impl; by hand it is a list of functions:
///
/// ```
/// use std::sync::Arc;
///
/// use annals::prelude::*;
/// use annals::saga::SagaStep;
///
/// struct Checkout;
///
/// impl Saga for Checkout {
///     type Data = u64;
///     type Services = ();
///     const NAME: &'static str = "checkout";
///
///     fn steps() -> Vec<SagaStep<Self>> {
///         vec![
///             SagaStep::new("charge", |total, _, _| {
///                 Box::pin(async move {
///                     *total += 1;
///                     Ok(())
///                 })
///             })
///             .with_undo(|_, _, _| Box::pin(async { Ok(()) })),
///         ]
///     }
/// }
///
/// # async fn run() -> Result<(), SagaError> {
/// let sagas = SagaRunner::new(MemoryStore::new(), Arc::new(()));
/// assert_eq!(sagas.run::<Checkout>("o-1", 10).await?, SagaOutcome::Completed);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a saga",
    label = "not a saga",
    note = "say what its steps are: `#[saga(name = \"…\", data = …)] impl {Self} {{ #[step] async fn … }}`"
)]
pub trait Saga: Sized + Send + Sync + 'static {
    /// What the steps work on. They may change it; the log keeps it.
    type Data: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// What the steps call: clients of other systems. `()` for nothing.
    type Services: Send + Sync + 'static;

    /// The name under which its logs are kept.
    const NAME: &'static str;

    /// The version of the data's shape, from 1.
    const VERSION: u32 = 1;

    /// Leads data of an earlier version up to the next.
    ///
    /// # Errors
    ///
    /// When there is no step from that version, or the data does not fit it.
    fn upcast(from: u32, data: Value) -> Result<Value, UpcastError> {
        let _ = data;
        Err(UpcastError::new(format!("no step leads up from version {from}")))
    }

    /// Its steps, in the order in which they are done.
    fn steps() -> Vec<SagaStep<Self>>;
}
