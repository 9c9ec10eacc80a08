//! What the macros of projections and queries ask of the user's methods, and what they assume.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::EventContext;
use crate::event::Event;
use crate::projection::On;
use crate::query::QueryContext;
use crate::read_model::ReadModel;

/// The last parameter of an `#[on]`.
#[diagnostic::on_unimplemented(
    message = "the last parameter of an `#[on]` of `{P}` is `&EventContext<Self>`, not `{Self}`",
    label = "expected `&EventContext<Self>`",
    note = "an `#[on]` takes its event and, last and only if it wants it, `cx: &EventContext<Self>`"
)]
pub trait RowContext<'a, P: ReadModel> {
    /// The context as the method takes it.
    fn from_context(cx: &'a EventContext<P>) -> Self;
}

impl<'a, P: ReadModel> RowContext<'a, P> for &'a EventContext<P> {
    fn from_context(cx: &'a EventContext<P>) -> Self {
        cx
    }
}

/// The first parameter of an `#[on(upsert)]`.
#[diagnostic::on_unimplemented(
    message = "an `#[on(upsert)]` of `{P}` takes the row as `Option<Self>`, not as `{Self}`",
    label = "expected `Option<Self>`",
    note = "an upsert takes the row, if there is any, and gives back the next; to change a row that exists, write `#[on]` and `&mut self`"
)]
pub trait UpsertedRow<P> {
    /// The row as the method takes it.
    fn from_state(row: Option<P>) -> Self;
}

impl<P: ReadModel> UpsertedRow<P> for Option<P> {
    fn from_state(row: Option<P>) -> Self {
        row
    }
}

/// The last parameter of a `#[query_handler]`.
#[diagnostic::on_unimplemented(
    message = "the last parameter of a `#[query_handler]` is `&QueryContext`, not `{Self}`",
    label = "expected `&QueryContext`",
    note = "a query's handler takes its query and, last and only if it wants it, `cx: &QueryContext`"
)]
pub trait QueryHandlerContext<'a> {
    /// The context as the handler takes it.
    fn from_context(cx: &'a QueryContext) -> Self;
}

impl<'a> QueryHandlerContext<'a> for &'a QueryContext {
    fn from_context(cx: &'a QueryContext) -> Self {
        cx
    }
}

/// A projection that takes the event `E`, or says that it passes over it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` neither takes nor ignores `{E}`, but is exhaustive",
    label = "lists `{E}`, which `{Self}` leaves out",
    note = "write an `#[on]` for `{E}`, or add it to `ignore(…)` of the `#[projection]`"
)]
pub trait Covers<E> {}

#[diagnostic::do_not_recommend]
impl<E: Event, P: On<E>> Covers<E> for P {}

/// An aggregate all of whose events `P` covers. `#[derive(Aggregate)]` writes it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an aggregate",
    label = "its events are not known",
    note = "derive it: `#[derive(Aggregate)] #[aggregate(id = …, events(…))]`"
)]
pub trait CoveredBy<P> {}

/// What is asked of a projection that is `exhaustive(A)`.
pub const fn covers_all<P, A: CoveredBy<P>>() {}

/// An event that the aggregate `A` lists.
#[diagnostic::on_unimplemented(
    message = "`{A}` does not list `{Self}`, so that there is nothing to ignore",
    label = "not among the events of `{A}`",
    note = "leave it out of `ignore(…)`, or list it in `#[aggregate(events(…))]` of `{A}`"
)]
pub trait ListedBy<A> {}

#[diagnostic::do_not_recommend]
impl<E: super::RecordedBy<A>, A: crate::aggregate::Aggregate> ListedBy<A> for E {}

/// What is asked of each event that a projection ignores which is `exhaustive(A)`.
pub const fn is_of<E: ListedBy<A>, A>() {}

/// The result of a query that lacks its own.
#[derive(Debug, Serialize)]
pub struct AnyAnswer;

/// What the derive assumes of a query that it has refused.
pub trait QueryData: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<Q: Serialize + DeserializeOwned + Send + Sync + 'static> QueryData for Q {}
