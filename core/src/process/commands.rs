//! The commands that a process sends.

use std::any::{TypeId, type_name};
use std::fmt::Debug;

use serde_json::Value;

use super::deadline::DeadlineMove;
use super::{Done, ProcessManager, Step};
use crate::codec::EncodeError;
use crate::command::Command;

/// The commands of one process as one enum; `#[derive(ProcessManager)]` writes it.
pub trait CommandEnum: Debug + Clone + Send + Sync + Sized + 'static {
    /// The listed commands, in the order of the list.
    const COMMANDS: &'static [SentCommand];

    /// Which of them is inside.
    fn sent(&self) -> &'static SentCommand;

    /// The name of the command inside.
    fn name(&self) -> &'static str {
        self.sent().name
    }

    /// The command inside as JSON.
    ///
    /// # Errors
    ///
    /// When it cannot be written as JSON.
    fn content(&self) -> Result<Value, EncodeError>;

    /// Compares two commands; `None` if their type has no equality. Test harnesses ask.
    fn same_command(&self, other: &Self) -> Option<bool> {
        let _ = other;
        None
    }
}

/// How one type of command is known.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SentCommand {
    /// Its name.
    pub name: &'static str,
    /// The name of its Rust type, with its path.
    pub type_name: fn() -> &'static str,
    /// Its Rust type.
    pub type_id: fn() -> TypeId,
}

impl SentCommand {
    /// Takes the name from the command's type.
    pub const fn of<C: Command>() -> Self {
        Self { name: C::NAME, type_name: type_name::<C>, type_id: TypeId::of::<C> }
    }
}

/// A command that the process `P` lists; `#[derive(ProcessManager)]` writes one impl for each.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not among the commands that `{P}` sends",
    label = "not listed in `#[process_manager(sends(…))]` of `{P}`",
    note = "add `{Self}` to `#[process_manager(sends(…))]` on `{P}`"
)]
pub trait SentBy<P: ProcessManager>: Command {
    /// Wraps the command in the process's enum.
    fn into_command(self) -> P::Command;
}

/// What stands for none, one or many commands of the process `P`, or changes of its deadlines.
///
/// A command that it lists, its enum, a [`DeadlineMove`], `()`, and `Option`, `Vec`, arrays and tuples of those. [`Command`]'s
/// derive writes the impl for the command itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not among the commands that `{P}` sends",
    label = "not listed in `#[process_manager(sends(…))]` of `{P}`",
    note = "a step sends: a command that is listed there, the enum of those, a change of a deadline, `()`, and `Option`, `Vec`, arrays and tuples of those; only a step that takes `self`, or begins the process, gives back its state or `Done(…)`"
)]
pub trait IntoCommands<P: ProcessManager> {
    /// Appends the commands and the changes of deadlines, in their order.
    fn extend_into(self, commands: &mut Vec<P::Command>, deadlines: &mut Vec<DeadlineMove>);

    /// The step of a process that lives on.
    #[doc(hidden)]
    fn beside(self, state: P) -> Step<P>
    where
        Self: Sized,
    {
        Step::new(Some(state), self)
    }
}

/// Any step. It is not what it returns of which something is asked: of that the compiler would only say what steps send.
#[doc(hidden)]
#[derive(Debug)]
pub enum AnyStep {}

/// Whether a step may change its process in place and return `T`, which ends the process or gives it back: none may.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a step with `&self` or `&mut self` neither ends its process nor gives it back, as `{T}` does",
    label = "a step that returns this takes `self`",
    note = "write `self` in the place of `&self` or `&mut self`, or return what the step sends and nothing else"
)]
pub trait InPlace<T> {}

impl<P: ProcessManager, C> IntoCommands<P> for Done<C>
where
    AnyStep: InPlace<Done<C>>,
{
    fn extend_into(self, _: &mut Vec<P::Command>, _: &mut Vec<DeadlineMove>) {}
}

impl<P: ProcessManager> IntoCommands<P> for P
where
    AnyStep: InPlace<P>,
{
    fn extend_into(self, _: &mut Vec<P::Command>, _: &mut Vec<DeadlineMove>) {}
}

/// Whether a step may return the `Result` `T`: none may.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a step cannot refuse: what it sees has happened",
    label = "`{T}` may be an error",
    note = "return what the process is then, and what it sends: what goes wrong is a state of its own, or a command; a step that panics parks its process"
)]
pub trait Refusing<T> {}

impl<P: ProcessManager, T, E> IntoCommands<P> for Result<T, E>
where
    AnyStep: Refusing<Result<T, E>>,
{
    fn extend_into(self, _: &mut Vec<P::Command>, _: &mut Vec<DeadlineMove>) {}
}

impl<P: ProcessManager> IntoCommands<P> for () {
    fn extend_into(self, _: &mut Vec<P::Command>, _: &mut Vec<DeadlineMove>) {}
}

impl<P: ProcessManager> IntoCommands<P> for DeadlineMove {
    fn extend_into(self, _: &mut Vec<P::Command>, deadlines: &mut Vec<DeadlineMove>) {
        deadlines.push(self);
    }
}

impl<P: ProcessManager, C: IntoCommands<P>> IntoCommands<P> for Option<C> {
    fn extend_into(self, commands: &mut Vec<P::Command>, deadlines: &mut Vec<DeadlineMove>) {
        if let Some(sent) = self {
            sent.extend_into(commands, deadlines);
        }
    }
}

impl<P: ProcessManager, C: IntoCommands<P>> IntoCommands<P> for Vec<C> {
    fn extend_into(self, commands: &mut Vec<P::Command>, deadlines: &mut Vec<DeadlineMove>) {
        for sent in self {
            sent.extend_into(commands, deadlines);
        }
    }
}

impl<P: ProcessManager, C: IntoCommands<P>, const N: usize> IntoCommands<P> for [C; N] {
    fn extend_into(self, commands: &mut Vec<P::Command>, deadlines: &mut Vec<DeadlineMove>) {
        for sent in self {
            sent.extend_into(commands, deadlines);
        }
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<P: ProcessManager, $($name: IntoCommands<P>),+> IntoCommands<P> for ($($name,)+) {
            fn extend_into(
                self,
                commands: &mut Vec<P::Command>,
                deadlines: &mut Vec<DeadlineMove>,
            ) {
                #[expect(non_snake_case, reason = "each variable is named after its type")]
                let ($($name,)+) = self;
                $($name.extend_into(commands, deadlines);)+
            }
        }
    };
}

tuples!(C1);
tuples!(C1 C2);
tuples!(C1 C2 C3);
tuples!(C1 C2 C3 C4);
tuples!(C1 C2 C3 C4 C5);
tuples!(C1 C2 C3 C4 C5 C6);
tuples!(C1 C2 C3 C4 C5 C6 C7);
tuples!(C1 C2 C3 C4 C5 C6 C7 C8);
