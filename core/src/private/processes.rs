//! What the macros of processes write, and what they assume.

use std::fmt::{self, Debug};

use serde::Serialize;
use serde_json::Value;

use super::{AnyId, ListedBy, RecordedBy};
use crate::aggregate::Aggregate;
use crate::aggregate_id::AggregateId;
use crate::codec::EncodeError;
use crate::command::Command;
use crate::context::{EventContext, Subject};
use crate::process::{CommandEnum, ProcessManager, Rejection, SentBy, SentCommand};
use crate::projection::{Route, RowError, Source};
use crate::read_model::ColumnError;
use crate::recorded_event::RecordedEvent;

/// What the enum of a process's commands does with a command inside.
///
/// All that the derive writes of a command goes through here, at one place in the user's code: where a listed type is no
/// command, the compiler says so once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a command",
    label = "not a command",
    note = "derive it: `#[derive(Clone, Serialize, Deserialize, Command)]`, with `#[command(id)]` on the field that names the aggregate"
)]
pub trait ListedCommand: Sized {
    /// How it is known.
    const SENT: SentCommand;

    /// Copies it.
    #[must_use]
    fn copy(&self) -> Self;

    /// Writes it.
    ///
    /// # Errors
    ///
    /// When it cannot be written as JSON.
    fn write(&self) -> Result<Value, EncodeError>;
}

#[diagnostic::do_not_recommend]
impl<C: Command> ListedCommand for C {
    const SENT: SentCommand = SentCommand::of::<C>();

    fn copy(&self) -> Self {
        self.clone()
    }

    fn write(&self) -> Result<Value, EncodeError> {
        serde_json::to_value(self).map_err(|error| EncodeError::new(C::NAME, &error))
    }
}

/// A command that the process `P` lists, as the derive of the command asks it: of [`SentBy`] the compiler would take that the
/// command is one, and say once more what it lacks.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not among the commands that `{P}` sends",
    label = "not listed in `#[process_manager(sends(…))]` of `{P}`",
    note = "add `{Self}` to `#[process_manager(sends(…))]` on `{P}`"
)]
pub trait ListedIn<P: ProcessManager>: Sized {
    /// Wraps the command in the process's enum.
    fn wrap(self) -> P::Command;
}

#[diagnostic::do_not_recommend]
impl<P: ProcessManager, C: SentBy<P>> ListedIn<P> for C {
    fn wrap(self) -> P::Command {
        self.into_command()
    }
}

/// Shows a command, by the order in which methods are found on `&&Shown`: as its `Debug` does, else by its name.
#[derive(Debug)]
pub struct Shown<'a, T>(pub &'a T);

/// Found first, where the type can be shown.
pub trait ShownAll {
    /// Shows it, as `#[derive(Debug)]` on its enum would.
    ///
    /// # Errors
    ///
    /// When the formatter fails.
    fn show(&self, variant: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl<T: Debug> ShownAll for &Shown<'_, T> {
    fn show(&self, variant: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(variant).field(self.0).finish()
    }
}

/// Found where it cannot.
pub trait ShownName {
    /// Shows the variant alone.
    ///
    /// # Errors
    ///
    /// When the formatter fails.
    fn show(&self, variant: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl<T> ShownName for Shown<'_, T> {
    fn show(&self, variant: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(variant).finish_non_exhaustive()
    }
}

/// The commands of a process whose list is missing: any command is one, so that one mistake stays one error.
#[derive(Debug, Clone)]
pub enum AnyCommand {}

impl CommandEnum for AnyCommand {
    const COMMANDS: &'static [SentCommand] = &[];

    fn sent(&self) -> &'static SentCommand {
        match *self {}
    }

    fn content(&self) -> Result<Value, EncodeError> {
        match *self {}
    }
}

#[diagnostic::do_not_recommend]
impl<P: ProcessManager<Command = AnyCommand>, C: Command> SentBy<P> for C {
    fn into_command(self) -> AnyCommand {
        unreachable!("bug in annals: a process without commands was compiled")
    }
}

/// The id of an aggregate, where it is the id of a process, too.
#[diagnostic::on_unimplemented(
    message = "the event's stream is named by a `{Self}`, the process by a `{Id}`",
    label = "name the process: `#[on(key = …)]`",
    note = "without `key`, an event goes to the process whose id is that of the event's own aggregate; say which process it is for: `key = field` or `key = |event| …`"
)]
pub trait IdOfProcess<Id>: Sized {
    /// The id as that of the process.
    fn into_id(self) -> Id;
}

impl<Id> IdOfProcess<Id> for Id {
    fn into_id(self) -> Id {
        self
    }
}

// `AnyId` has no `Serialize`, so that this is another impl than the one above.
#[diagnostic::do_not_recommend]
impl<Id: AggregateId + Serialize> IdOfProcess<AnyId> for Id {
    fn into_id(self) -> AnyId {
        AnyId
    }
}

/// An aggregate whose events go to the processes with its id.
pub trait SteeredBy<Id>: Aggregate {
    /// To which process what is recorded in a stream goes.
    ///
    /// # Errors
    ///
    /// When the stream's name holds no id of the aggregate.
    fn route(recorded: &RecordedEvent) -> Result<Route<Id>, RowError>;
}

impl<Id, A: Aggregate<Id: IdOfProcess<Id>>> SteeredBy<Id> for A {
    fn route(recorded: &RecordedEvent) -> Result<Route<Id>, RowError> {
        let stream = &recorded.stream_id;
        match stream.id().parse::<A::Id>() {
            Ok(id) => Ok(Route::One(IdOfProcess::into_id(id))),
            Err(_) => {
                Err(ColumnError::new(format!("the name of stream `{stream}` holds no id")).into())
            }
        }
    }
}

/// The processes to which an event goes that names no key: those of its own stream.
#[derive(Debug)]
pub struct OwnProcess<P: Subject> {
    /// From where the event is taken.
    pub source: Source<P>,
    /// To which process it goes.
    pub route: fn(&RecordedEvent) -> Result<Route<P::Key>, RowError>,
}

impl<P: Subject> OwnProcess<P> {
    fn of<A: SteeredBy<P::Key>>() -> Self {
        Self { source: Source::of::<A>(), route: A::route }
    }
}

/// The process that has the id of the one aggregate that lists the event `E`.
pub fn own_process<P: Subject, E: RecordedBy<A>, A: SteeredBy<P::Key>>() -> OwnProcess<P> {
    OwnProcess::of::<A>()
}

/// The same where several list it: `from = A`.
pub fn own_process_from<P: Subject, E: ListedBy<A>, A: SteeredBy<P::Key>>() -> OwnProcess<P> {
    OwnProcess::of::<A>()
}

/// A field of an event that is the id of a process.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the id of the process, which is a `{Id}`",
    label = "expected `{Id}`",
    note = "the key of a process is its `#[process_manager(id = …)]`, no other type; where the event holds it in another way, write `key = |event| …`"
)]
pub trait ProcessKey<Id>: Sized {
    /// The id.
    fn into_id(self) -> Id;
}

impl<Id: AggregateId> ProcessKey<Id> for Id {
    fn into_id(self) -> Id {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<Id: AggregateId + Serialize> ProcessKey<AnyId> for Id {
    fn into_id(self) -> AnyId {
        AnyId
    }
}

/// To which process an event goes whose field is the id: `key = field`.
pub fn route_by_id<Id>(value: impl ProcessKey<Id>) -> Route<Id> {
    Route::One(value.into_id())
}

/// What `key = |event| …` gives back: the id of one process, or of several.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the id of the process, a `{Id}`, nor several",
    label = "expected `{Id}`, or a `Vec`, an array or an `Option` of it",
    note = "the key of a process is its `#[process_manager(id = …)]`, no other type"
)]
pub trait IntoIds<Id> {
    /// Makes the route to the processes.
    fn into_route(self) -> Route<Id>;
}

impl<Id: AggregateId> IntoIds<Id> for Id {
    fn into_route(self) -> Route<Id> {
        Route::One(self)
    }
}

impl<Id: AggregateId> IntoIds<Id> for Vec<Id> {
    fn into_route(self) -> Route<Id> {
        Route::Many(self)
    }
}

impl<Id: AggregateId> IntoIds<Id> for Option<Id> {
    fn into_route(self) -> Route<Id> {
        Route::Many(self.into_iter().collect())
    }
}

impl<Id: AggregateId, const N: usize> IntoIds<Id> for [Id; N] {
    fn into_route(self) -> Route<Id> {
        Route::Many(self.into())
    }
}

#[diagnostic::do_not_recommend]
impl<Id: AggregateId + Serialize> IntoIds<AnyId> for Id {
    fn into_route(self) -> Route<AnyId> {
        Route::One(AnyId)
    }
}

/// The last parameter of a step.
#[diagnostic::on_unimplemented(
    message = "the last parameter of a step of `{P}` is `&EventContext<Self>`, not `{Self}`",
    label = "expected `&EventContext<Self>`",
    note = "an `#[on]` takes its event, a `#[rejected]` its command and `&Rejection`, a `#[deadline]` nothing; then each takes, only if it wants it, `cx: &EventContext<Self>`"
)]
pub trait ProcessContext<'a, P: Subject> {
    /// The context as the method takes it.
    fn from_context(cx: &'a EventContext<P>) -> Self;
}

impl<'a, P: Subject> ProcessContext<'a, P> for &'a EventContext<P> {
    fn from_context(cx: &'a EventContext<P>) -> Self {
        cx
    }
}

/// The first parameter of an `upsert`.
#[diagnostic::on_unimplemented(
    message = "an upsert of `{P}` takes the process as `Option<Self>`, not as `{Self}`",
    label = "expected `Option<Self>`",
    note = "an upsert takes the process, if it lives, and gives back what it is then; to change one that lives, leave `upsert` out and write `&mut self`"
)]
pub trait UpsertedProcess<P> {
    /// The process as the method takes it.
    fn from_state(process: Option<P>) -> Self;
}

impl<P> UpsertedProcess<P> for Option<P> {
    fn from_state(process: Option<P>) -> Self {
        process
    }
}

/// The second parameter of a `#[rejected]`.
#[diagnostic::on_unimplemented(
    message = "the parameter after the command of a `#[rejected]` is `&Rejection`, not `{Self}`",
    label = "expected `&Rejection`",
    note = "a `#[rejected]` takes its command, then `why: &Rejection`, then `cx: &EventContext<Self>`; what comes last may be left out"
)]
pub trait RejectedReason<'a> {
    /// The reason as the method takes it.
    fn from_rejection(why: &'a Rejection) -> Self;
}

impl<'a> RejectedReason<'a> for &'a Rejection {
    fn from_rejection(why: &'a Rejection) -> Self {
        why
    }
}
