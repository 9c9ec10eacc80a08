//! Queries: what someone wants to know, who answers it, and the bus between.

mod bus;
mod context;
mod error;
mod interceptor;

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::Future;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::bus::Options;
pub use self::bus::{Ask, QueryBus, QueryBusBuilder};
pub use self::context::QueryContext;
pub use self::error::QueryError;
pub use self::interceptor::{QueryCall, QueryInterceptor, QueryOutcome};
use crate::bus::DomainError;

/// What someone wants to know. `#[derive(Query)]` writes it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a query",
    label = "not a query",
    note = "derive it: `#[derive(Serialize, Deserialize, Query)] #[query(result = …)]`"
)]
pub trait Query: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name by which HTTP handlers know it.
    const NAME: &'static str;
    /// What the answer is.
    type Result: Serialize + Send + 'static;
}

/// A query that a `#[query_handler]` answers, which writes it.
#[diagnostic::on_unimplemented(
    message = "no `#[query_handler]` takes the query `{Self}`",
    label = "not handled",
    note = "write `#[query_handler] async fn …(query: {Self}, cx: &QueryContext) -> Result<…, ReadModelError>`"
)]
pub trait HandledQuery: Query {
    /// What its handler returns: the result, or a `Result` of it.
    type Output: Answer<Self::Result> + Send;

    /// Asks the handler.
    fn answer(self, cx: &QueryContext) -> impl Future<Output = Self::Output> + Send;
}

/// Why the query `Q` has no answer: what its handler says.
pub(crate) type ErrorOf<Q> = <<Q as HandledQuery>::Output as Answer<<Q as Query>::Result>>::Error;

/// What a `#[query_handler]` of a query with the result `T` returns: `T`, or a `Result` of it.
#[diagnostic::on_unimplemented(
    message = "a `#[query_handler]` gives back `{T}`, as its query says, or a `Result` of it, not `{Self}`",
    label = "expected `{T}` or `Result<{T}, _>`"
)]
pub trait Answer<T> {
    /// Why there is no answer.
    type Error: Error + Send + Sync + 'static;

    /// The answer.
    ///
    /// # Errors
    ///
    /// What the handler said.
    fn into_answer(self) -> Result<T, Self::Error>;
}

impl<T: Serialize> Answer<T> for T {
    type Error = Infallible;

    fn into_answer(self) -> Result<T, Infallible> {
        Ok(self)
    }
}

impl<T: Serialize, E: Error + Send + Sync + 'static> Answer<T> for Result<T, E> {
    type Error = E;

    fn into_answer(self) -> Result<T, E> {
        self
    }
}

/// The way from a query's JSON to its handler.
#[derive(Clone, Copy)]
pub(crate) struct QueryRoute(fn(QueryBus, Value, Options) -> Answered);

type Answered = BoxFuture<'static, Result<Value, QueryError<DomainError>>>;

impl QueryRoute {
    pub(crate) const fn of<Q: HandledQuery>() -> Self {
        Self(|bus, content, options| {
            async move {
                let query = Q::deserialize(&content).map_err(|error: serde_json::Error| {
                    let (name, reason) = (Q::NAME.to_owned(), error.to_string());
                    QueryError::Invalid { name, reason }
                })?;
                let result = bus.answer(query, Some(content), options).await;
                let result = result.map_err(|error| error.map_failed(DomainError::new))?;
                serde_json::to_value(result).map_err(|error| QueryError::Invalid {
                    name: Q::NAME.to_owned(),
                    reason: format!("its result has no JSON: {error}"),
                })
            }
            .boxed()
        })
    }
}

impl fmt::Debug for QueryRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueryRoute")
    }
}
