//! A process without its types: what engines and harnesses run.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::steps::ReadEvent;
use super::{
    CommandEnum, DeadlineMove, Fault, Process, Rejection, SentCommand, Start, Step, Steps,
};
use crate::aggregate::Misfit;
use crate::codec::{DecodeError, PayloadCodec};
use crate::context::EventContext;
use crate::projection::{Route, chain, message_of, read};
use crate::recorded_event::RecordedEvent;
use crate::store::EventFilter;
use crate::upcast::read_versioned;

/// What a step takes.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    Event(&'a RecordedEvent),
    Refusal { command: &'a str, content: &'a Value, why: &'a Rejection, at: &'a RecordedEvent },
    Deadline { name: &'a str, at: &'a RecordedEvent },
}

/// What a step gives back, without its types.
pub(crate) struct Stepped {
    /// The version of the state.
    pub(crate) version: u32,
    pub(crate) state: Option<Arc<RawValue>>,
    pub(crate) commands: Vec<(&'static str, Value)>,
    pub(crate) deadlines: Vec<DeadlineMove>,
}

/// A process without its types. [`process`] makes it.
pub trait AnyProcess: fmt::Debug + Send + Sync + 'static {
    /// The name under which its steps and its checkpoint are kept.
    fn name(&self) -> &'static str;

    /// The version of its state.
    fn version(&self) -> u32;

    /// From where in the log it starts when it is registered first.
    fn start(&self) -> Start;

    /// The events that it takes.
    fn filter(&self) -> EventFilter;

    /// Whether one of its steps takes an event.
    fn takes(&self, event: &RecordedEvent) -> bool;

    /// The commands that it sends.
    fn commands(&self) -> &'static [SentCommand];

    /// Whether it takes the refusal of a command.
    fn takes_refusal(&self, command: &str) -> bool;

    /// The names of its deadlines, and how long after its beginning each is due, if it is set then.
    fn deadlines(&self) -> Vec<(&'static str, Option<Duration>)>;

    /// The ids of the processes that an event goes to, each once.
    ///
    /// # Errors
    ///
    /// [`Fault::Unreadable`] when the event cannot be read, [`Fault::Failed`] when it names no process.
    fn route(&self, event: &RecordedEvent, codec: &dyn PayloadCodec) -> Result<Vec<String>, Fault>;

    /// Does a step; `None` if what it takes needs a state and there is none.
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "only this crate implements it")]
    fn step(
        &self,
        id: &str,
        state: Option<(u32, &RawValue)>,
        input: Input<'_>,
        codec: &dyn PayloadCodec,
    ) -> Result<Option<Stepped>, Fault>;
}

/// The process `P` without its types: for engines and harnesses.
pub fn process<P: Process>() -> Arc<dyn AnyProcess> {
    Arc::new(Typed::<P> { steps: P::steps() })
}

struct Typed<P: Process> {
    steps: Steps<P>,
}

impl<P: Process> Typed<P> {
    fn read(
        &self,
        event: &RecordedEvent,
        codec: &dyn PayloadCodec,
    ) -> Result<Option<Box<dyn ReadEvent<P>>>, Fault> {
        let Some(taken) = self.steps.events.iter().find(|step| step.takes(event)) else {
            return Ok(None);
        };
        Ok(Some(read(event, codec, taken.read)?))
    }

    fn run(
        &self,
        id: P::Id,
        state: Option<P>,
        input: Input<'_>,
        codec: &dyn PayloadCodec,
    ) -> Result<Result<Step<P>, Misfit>, Fault> {
        match input {
            Input::Event(event) => match self.read(event, codec)? {
                Some(read) => Ok(read.step(state, &EventContext::new(id, event.clone()))),
                None => Ok(Err(Misfit::Missing)),
            },
            Input::Refusal { command, content, why, at } => {
                let taken = self.steps.refused.iter().find(|step| step.command == command);
                let Some(taken) = taken else {
                    return Err(Fault::Refused { command: command.to_owned(), why: chain(why) });
                };
                let cx = EventContext::new(id, at.clone());
                Ok((taken.step)(state, content, why, &cx)?)
            }
            Input::Deadline { name, at } => {
                let Some(fired) = self.steps.deadlines.iter().find(|step| step.name == name) else {
                    let message = format!(
                        "deadline `{name}` is due, and no `#[deadline]` of this release takes it; retry with a release that \
                         has it, or drop it"
                    );
                    return Err(Fault::Failed(message));
                };
                Ok((fired.step)(state, &EventContext::new(id, at.clone())))
            }
        }
    }
}

impl<P: Process> AnyProcess for Typed<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn version(&self) -> u32 {
        P::VERSION
    }

    fn start(&self) -> Start {
        P::START
    }

    fn filter(&self) -> EventFilter {
        let names = self.steps.events.iter().flat_map(super::EventStep::names);
        EventFilter::all().event_types(names)
    }

    fn takes(&self, event: &RecordedEvent) -> bool {
        self.steps.events.iter().any(|step| step.takes(event))
    }

    fn commands(&self) -> &'static [SentCommand] {
        P::Command::COMMANDS
    }

    fn takes_refusal(&self, command: &str) -> bool {
        self.steps.refused.iter().any(|step| step.command == command)
    }

    fn deadlines(&self) -> Vec<(&'static str, Option<Duration>)> {
        self.steps.deadlines.iter().map(|step| (step.name, step.after)).collect()
    }

    fn route(&self, event: &RecordedEvent, codec: &dyn PayloadCodec) -> Result<Vec<String>, Fault> {
        let Some(read) = self.read(event, codec)? else { return Ok(Vec::new()) };
        let routed = caught(|| read.route(event))?;
        let mut ids: Vec<String> = match routed.map_err(|error| Fault::Failed(chain(&error)))? {
            Route::One(id) => vec![id.to_string()],
            Route::Many(ids) => ids.iter().map(ToString::to_string).collect(),
            Route::Each(_) => Vec::new(),
        };
        let mut known = std::collections::HashSet::new();
        ids.retain(|id| known.insert(id.clone()));
        Ok(ids)
    }

    fn step(
        &self,
        id: &str,
        state: Option<(u32, &RawValue)>,
        input: Input<'_>,
        codec: &dyn PayloadCodec,
    ) -> Result<Option<Stepped>, Fault> {
        let parsed = id.parse::<P::Id>();
        let typed = parsed.map_err(|_| Fault::Failed(format!("`{id}` is not an id")))?;
        let state = state.map(|(version, state)| state_of::<P>(version, state)).transpose()?;
        let step = match caught(|| self.run(typed, state, input, codec))?? {
            Ok(step) => step,
            Err(Misfit::Missing) => return Ok(None),
            Err(Misfit::Exists) => return Err(Fault::Exists),
        };
        let written = |error: &dyn fmt::Display| {
            Fault::Failed(format!("the state cannot be written as JSON: {error}"))
        };
        let state = match &step.state {
            Some(state) => {
                let json = caught(|| to_raw_value(state))?.map_err(|error| written(&error))?;
                // What is not read back would hold the process up at its next step, when its commands are out.
                state_of::<P>(P::VERSION, &json).map_err(|fault| {
                    Fault::Failed(format!(
                        "the state does not read back as it was written: {fault}"
                    ))
                })?;
                Some(Arc::from(json))
            }
            None => None,
        };
        let commands = step.commands.iter().map(|command| {
            let content = caught(|| command.content())?;
            let content = content.map_err(|error| Fault::Failed(chain(&error)))?;
            Ok((command.name(), content))
        });
        let commands: Result<Vec<_>, Fault> = commands.collect();
        let (version, deadlines) = (P::VERSION, step.deadlines);
        Ok(Some(Stepped { version, state, commands: commands?, deadlines }))
    }
}

impl<P: Process> fmt::Debug for Typed<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("name", &P::NAME).field("steps", &self.steps).finish()
    }
}

/// Reads a state, through the steps from its version up to the present one.
fn state_of<P: Process>(version: u32, state: &RawValue) -> Result<P, Fault> {
    let failed = |reason: String| {
        Fault::Failed(format!("the state of version {version} cannot be read: {reason}"))
    };
    let read = caught(|| read_versioned(version, P::VERSION, state.get(), P::upcast))?;
    read.map_err(failed)
}

/// Runs what is a user's; a panic is a fault.
fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(|panic| Fault::Failed(format!("panicked: {}", message_of(&*panic))))
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Self::Unreadable(error)
    }
}
