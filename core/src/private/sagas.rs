//! What the macro of sagas writes.

use crate::saga::StepContext;

/// The data, as the first parameter of a step or an undo takes it.
#[diagnostic::on_unimplemented(
    message = "the first parameter of a step or an undo is the saga's data, `&mut {D}` or `&{D}`, not `{Self}`",
    label = "expected `&mut {D}` or `&{D}`",
    note = "a step and its undo take what `data = …` in `#[saga(…)]` says, then the services and `&StepContext`; trailing ones may be left out"
)]
pub trait StepData<'a, D> {
    /// The data as the method takes it.
    fn from_data(data: &'a mut D) -> Self;
}

impl<'a, D> StepData<'a, D> for &'a mut D {
    fn from_data(data: &'a mut D) -> Self {
        data
    }
}

impl<'a, D> StepData<'a, D> for &'a D {
    fn from_data(data: &'a mut D) -> Self {
        data
    }
}

/// The services, as the second parameter of a step or an undo takes them.
#[diagnostic::on_unimplemented(
    message = "the second parameter of a step or an undo is what it calls, `&{S}`, not `{Self}`",
    label = "expected `&{S}`",
    note = "a step and its undo take the data, then what `services = …` in `#[saga(…)]` says and `&StepContext`; trailing ones may be left out"
)]
pub trait StepServices<'a, S> {
    /// The services as the method takes them.
    fn from_services(services: &'a S) -> Self;
}

impl<'a, S> StepServices<'a, S> for &'a S {
    fn from_services(services: &'a S) -> Self {
        services
    }
}

/// The last parameter of a step or an undo.
#[diagnostic::on_unimplemented(
    message = "the last parameter of a step or an undo is `&StepContext`, not `{Self}`",
    label = "expected `&StepContext`",
    note = "what the steps call is given by `services = …` in `#[saga(…)]`, and comes before the context"
)]
pub trait LastOfStep<'a> {
    /// The context as the method takes it.
    fn from_context(cx: &'a StepContext) -> Self;
}

impl<'a> LastOfStep<'a> for &'a StepContext {
    fn from_context(cx: &'a StepContext) -> Self {
        cx
    }
}
