//! What a step gives back.

use super::commands::{AnyStep, Refusing};
use super::{DeadlineMove, IntoCommands, ProcessManager};

/// What a step gives back: the state after it, the commands to send, the deadlines to change.
#[derive(Debug)]
#[non_exhaustive]
pub struct Step<P: ProcessManager> {
    /// The state after the step; `None` if the process ends with it, or never began.
    pub state: Option<P>,
    /// The commands that are to go out, in their order.
    pub commands: Vec<P::Command>,
    /// What becomes of its deadlines.
    pub deadlines: Vec<DeadlineMove>,
}

impl<P: ProcessManager> Step<P> {
    /// Makes a step of the state after it and of what it sends.
    pub fn new(state: Option<P>, sent: impl IntoCommands<P>) -> Self {
        let mut step = Self { state, commands: Vec::new(), deadlines: Vec::new() };
        sent.extend_into(&mut step.commands, &mut step.deadlines);
        step
    }
}

/// The end of a process, with the last commands that it sends. It holds once those are accepted: until then a refusal still
/// finds the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done<C>(pub C);

/// What a step returns that begins a process, takes it by value, or is an upsert.
#[diagnostic::on_unimplemented(
    message = "a step of `{P}` cannot return `{Self}`",
    label = "neither the state after the step nor its end",
    note = "a step that begins the process or takes `self` returns `Self`, `Option<Self>`, `(Self, …)`, `(Option<Self>, …)` or `Done(…)`, where `…` is what it sends; to send commands and change nothing, take `&self`"
)]
pub trait NextStep<P: ProcessManager> {
    /// Takes it apart.
    fn into_step(self) -> Step<P>;
}

impl<P: ProcessManager> NextStep<P> for P {
    fn into_step(self) -> Step<P> {
        Step::new(Some(self), ())
    }
}

impl<P: ProcessManager> NextStep<P> for Option<P> {
    fn into_step(self) -> Step<P> {
        Step::new(self, ())
    }
}

impl<P: ProcessManager, C: IntoCommands<P>> NextStep<P> for (P, C) {
    fn into_step(self) -> Step<P> {
        Step::new(Some(self.0), self.1)
    }
}

impl<P: ProcessManager, C: IntoCommands<P>> NextStep<P> for (Option<P>, C) {
    fn into_step(self) -> Step<P> {
        Step::new(self.0, self.1)
    }
}

impl<P: ProcessManager, C: IntoCommands<P>> NextStep<P> for Done<C> {
    fn into_step(self) -> Step<P> {
        Step::new(None, self.0)
    }
}

impl<P: ProcessManager, T, E> NextStep<P> for Result<T, E>
where
    AnyStep: Refusing<Result<T, E>>,
{
    fn into_step(self) -> Step<P> {
        Step::new(None, ())
    }
}
