//! Process managers: events in, commands out, and a state in between that outlives the program.
//!
//! A process manager is the mirror image of an aggregate. Each step takes an event, a refusal of a command that it sent, or a
//! deadline, and gives back the state after it, the commands to send and the deadlines to keep. One transaction keeps all of
//! that; the commands then go out in their order, at least once, each under an idempotency key of its own, and so are done
//! once.
//!
//! Steps are plain and pure: no services, no clock, no awaiting. What reaches outside is a reactor.

mod commands;
mod deadline;
mod engine;
mod fault;
mod instance;
mod manager;
mod record;
mod rejection;
mod step;
mod steps;

pub use self::commands::{CommandEnum, IntoCommands, SentBy, SentCommand};
pub use self::deadline::{DeadlineMove, DeadlineName};
pub use self::engine::{
    ParkedCause, ParkedProcess, ProcessEngine, ProcessEngineBuilder, ProcessError, ProcessShard,
    ProcessStatus, ProcessesStatus, RunningReactor,
};
pub use self::fault::Fault;
pub use self::instance::{Instance, Outgoing, StepMade, Taken};
pub use self::manager::{AnyProcess, process};
pub use self::record::{AskedCommand, Cause, StepRecord};
#[cfg(feature = "cli")]
pub(crate) use self::record::{
    CATEGORY_OF_PROCESSES, CATEGORY_OF_REACTORS, category_of, category_of_reactor,
};
pub use self::rejection::{Rejection, RejectionKind};
pub use self::step::{Done, NextStep, Step};
pub use self::steps::{DeadlineStep, EventStep, React, Refused, RefusedStep, Steps};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::aggregate_id::AggregateId;
use crate::context::Subject;
use crate::upcast::UpcastError;

/// The state of a process, and the commands that it sends; `#[derive(ProcessManager)]` writes this impl.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a process manager",
    label = "not a process manager",
    note = "derive it: `#[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)] #[process_manager(name = \"…\", version = 1, id = …, sends(…))]`"
)]
pub trait ProcessManager: Subject<Key = <Self as ProcessManager>::Id> + ProcessState {
    /// What tells one process of this type from another.
    type Id: AggregateId;

    /// The enum of the commands that it sends.
    type Command: CommandEnum;

    /// The name under which its steps and its checkpoint are kept.
    const NAME: &'static str;

    /// The version of its state.
    const VERSION: u32 = 1;

    /// From where in the log it starts when it is registered first.
    const START: Start = Start::Head;

    /// Lifts the JSON of a state of version `from` to version `from + 1`.
    ///
    /// # Errors
    ///
    /// When the JSON is not what version `from` wrote, or nobody knows the step.
    fn upcast(from: u32, state: Value) -> Result<Value, UpcastError> {
        let (_, _) = (from, state);
        Err(UpcastError::no_step())
    }

    /// Compares two states; `None` if the type has no equality. Test harnesses ask.
    fn same_state(&self, other: &Self) -> Option<bool> {
        let _ = other;
        None
    }
}

/// What the state of a process has to be. Every type is one that has these.
pub trait ProcessState: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<P: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> ProcessState for P {}

/// From where in the log a process or reactor starts when it is registered first. Later it goes on where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Start {
    /// At its end: what happened before is nothing that it reacts to.
    #[default]
    Head,
    /// At its beginning.
    Beginning,
}

/// A process manager with its steps; `#[process]` writes this impl.
///
/// By hand it is a [`React`] for each event, a [`Refused`] for each command whose refusal it takes, and their list:
///
/// ```
/// use annals::process::{
///     CommandEnum, NextStep, Process, ProcessManager, React, SentCommand, Step, Steps,
/// };
/// use annals::projection::{Route, RowError, Source};
/// # use annals::{EncodeError, Event, EventContext, Misfit, RecordedEvent, Subject};
/// # use serde::{Deserialize, Serialize};
/// # use serde_json::Value;
/// #
/// # #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// # struct Ordered { order: String }
/// #[derive(Debug, Clone, Serialize, Deserialize)]
/// struct Welcome;
///
/// /// It sends nothing.
/// #[derive(Debug, Clone)]
/// enum Nothing {}
///
/// impl CommandEnum for Nothing {
///     const COMMANDS: &'static [SentCommand] = &[];
///
///     fn sent(&self) -> &'static SentCommand {
///         match *self {}
///     }
///
///     fn content(&self) -> Result<Value, EncodeError> {
///         match *self {}
///     }
/// }
///
/// # impl Subject for Welcome { type Key = String; }
/// impl ProcessManager for Welcome {
///     type Id = String;
///     type Command = Nothing;
///     const NAME: &'static str = "welcome";
/// }
///
/// impl Process for Welcome {
///     fn steps() -> Steps<Self> {
///         Steps::new().on::<Ordered>()
///     }
/// }
///
/// impl React<Ordered> for Welcome {
///     fn source() -> Source<Self> {
///         Source::any()
///     }
///
///     fn route(event: &Ordered, _: &RecordedEvent) -> Result<Route<String>, RowError> {
///         Ok(Route::One(event.order.clone()))
///     }
///
///     fn step(
///         state: Option<Self>,
///         _: &Ordered,
///         _: &EventContext<Self>,
///     ) -> Result<Step<Self>, Misfit> {
///         match state {
///             None => Ok(Welcome.into_step()),
///             Some(_) => Err(Misfit::Exists),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` lacks its derive or its steps",
    label = "not a process",
    note = "a process derives `ProcessManager`, and says what it reacts to: `#[process] impl {Self} {{ #[on] … }}`"
)]
pub trait Process: ProcessManager {
    /// Its steps.
    fn steps() -> Steps<Self>;
}
