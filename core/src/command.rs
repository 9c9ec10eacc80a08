//! Commands: what someone wants done, and what a handler decides.
//!
//! This module holds the traits that the macros implement; routing, retries and idempotency are the
//! [`CommandBus`](crate::CommandBus)'s part.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aggregate::{Aggregate, Misfit};
use crate::context::Context;
use crate::event::{IntoEvents, ReturnedEvents};

/// A wish to change one aggregate; `#[derive(Command)]` writes this impl.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a command",
    label = "not a command",
    note = "derive it: `#[derive(Clone, Serialize, Deserialize, Command)]`, with `#[command(id)]` on the field that names the aggregate"
)]
pub trait Command: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name by which queues and HTTP handlers know the command.
    const NAME: &'static str;
}

/// A command that names an aggregate by an id of type `Id`: its `#[command(id)]` field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a command for an aggregate whose id is `{Id}`",
    label = "has no `#[command(id)]` of type `{Id}`",
    note = "a command derives `Command`, and has `#[command(id)]` on the field with the id of its aggregate, here a `{Id}`"
)]
pub trait Targets<Id> {
    /// The id of the aggregate that the command is for.
    fn target(&self) -> &Id;
}

/// A command that the aggregate `A` handles, and how; `#[handle]` writes it.
///
/// It stands on the command, so that [`CommandBus::dispatch`](crate::CommandBus::dispatch) finds the aggregate by the command
/// alone. Seen from the aggregate, it is [`Handle`].
#[diagnostic::on_unimplemented(
    message = "no `#[handle]` takes the command `{Self}`",
    label = "not handled",
    note = "write `#[handle] fn …(&self, command: {Self})` in a `#[handlers] impl` of the aggregate that it is for"
)]
pub trait HandledBy<A: Aggregate>: Command + Targets<A::Id> {
    /// What the handler returns.
    type Output: Decision<A> + Send;

    /// Decides the command on the state, which is `None` if the aggregate does not exist.
    ///
    /// # Errors
    ///
    /// When the command does not fit the state: it creates what exists, or needs what does not.
    fn handle(
        state: Option<&A>,
        command: Self,
        cx: &Context<A>,
    ) -> impl Future<Output = Result<Self::Output, Misfit>> + Send;
}

/// An aggregate that decides commands of the type `C`: any for which `C` is [`HandledBy`] it.
pub trait Handle<C>: Aggregate {
    /// What the handler returns.
    type Output: Decision<Self> + Send;

    /// Decides the command on the state, which is `None` if the aggregate does not exist.
    ///
    /// # Errors
    ///
    /// When the command does not fit the state: it creates what exists, or needs what does not.
    fn handle(
        state: Option<&Self>,
        command: C,
        cx: &Context<Self>,
    ) -> impl Future<Output = Result<Self::Output, Misfit>> + Send;
}

impl<A: Aggregate, C: HandledBy<A>> Handle<C> for A {
    type Output = C::Output;

    fn handle(
        state: Option<&Self>,
        command: C,
        cx: &Context<Self>,
    ) -> impl Future<Output = Result<Self::Output, Misfit>> + Send {
        C::handle(state, command, cx)
    }
}

/// The domain's error of the handler that decides `C` on `A`; [`Infallible`] where it cannot refuse.
pub type HandlerError<A, C> = <<C as HandledBy<A>>::Output as Decision<A>>::Error;

/// What a handler may return: events, or a `Result` of them and the domain's error.
#[diagnostic::on_unimplemented(
    message = "a `#[handle]` of `{A}` cannot return `{Self}`",
    label = "not events of `{A}`",
    note = "a handler returns an event listed in `#[aggregate(events(…))]`, the event enum, `()`, an `Option`, `Vec`, array or tuple of those, or a `Result` of one of them and an error"
)]
pub trait Decision<A: Aggregate> {
    /// The domain's error.
    type Error: Error + Send + Sync + 'static;

    /// The events that follow, or the domain's error.
    ///
    /// # Errors
    ///
    /// When the handler refused.
    fn decide(self) -> Result<Vec<A::Event>, Self::Error>;
}

impl<A: Aggregate, T: ReturnedEvents<A>, E: HandlersError> Decision<A> for Result<T, E> {
    type Error = E;

    fn decide(self) -> Result<Vec<A::Event>, E> {
        self.map(collect)
    }
}

/// What a handler may refuse with: any error. Each type that can, has it.
#[diagnostic::on_unimplemented(
    message = "a `#[handle]` cannot refuse with `{Self}`, which is no error",
    label = "`{Self}` is no error",
    note = "derive it: `#[derive(Debug, thiserror::Error)]`; it has to be `Send`, `Sync` and `'static`"
)]
pub trait HandlersError: Error + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<E: Error + Send + Sync + 'static> HandlersError for E {}

impl<A: Aggregate> Decision<A> for () {
    type Error = Infallible;

    fn decide(self) -> Result<Vec<A::Event>, Infallible> {
        Ok(Vec::new())
    }
}

impl<A: Aggregate, E: ReturnedEvents<A>> Decision<A> for Option<E> {
    type Error = Infallible;

    fn decide(self) -> Result<Vec<A::Event>, Infallible> {
        Ok(collect(self))
    }
}

impl<A: Aggregate, E: ReturnedEvents<A>> Decision<A> for Vec<E> {
    type Error = Infallible;

    fn decide(self) -> Result<Vec<A::Event>, Infallible> {
        Ok(collect(self))
    }
}

impl<A: Aggregate, E: ReturnedEvents<A>, const N: usize> Decision<A> for [E; N] {
    type Error = Infallible;

    fn decide(self) -> Result<Vec<A::Event>, Infallible> {
        Ok(collect(self))
    }
}

/// Collects what stands for events of `A`, in their order.
pub(crate) fn collect<A: Aggregate>(events: impl IntoEvents<A>) -> Vec<A::Event> {
    let mut collected = Vec::new();
    events.extend_into(&mut collected);
    collected
}
