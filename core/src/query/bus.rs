//! The way of a query: interceptors, then its handler.

use std::collections::HashMap;
use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;

use super::interceptor::{QueryCall, QueryInterceptor, QueryOutcome};
use super::{Answer, ErrorOf, HandledQuery, QueryContext, QueryError, QueryRoute};
use crate::bus::{DomainError, SetupError, nearest, sorted};
use crate::metadata::Metadata;
use crate::read_model::ReadModels;
use crate::receipt::Receipt;
use crate::registry::QueryRegistration;

/// Answers queries.
///
/// ```
/// use annals::prelude::*;
///
/// let queries = QueryBus::new(ReadModels::new(MemoryStore::new()));
/// # let _ = queries;
/// ```
#[derive(Clone)]
pub struct QueryBus {
    inner: Arc<Inner>,
}

struct Inner {
    models: ReadModels,
    interceptors: Vec<Arc<dyn QueryInterceptor>>,
}

/// Makes a [`QueryBus`].
#[must_use]
pub struct QueryBusBuilder {
    inner: Inner,
}

impl QueryBus {
    /// Makes a bus without interceptors.
    pub fn new(models: ReadModels) -> Self {
        Self { inner: Arc::new(Inner { models, interceptors: Vec::new() }) }
    }

    /// Begins a bus.
    pub fn builder(models: ReadModels) -> QueryBusBuilder {
        QueryBusBuilder { inner: Inner { models, interceptors: Vec::new() } }
    }

    /// Asks a query; it is answered when it is awaited.
    pub fn ask<Q: HandledQuery>(&self, query: Q) -> Ask<Q::Result, ErrorOf<Q>> {
        let bus = self.clone();
        Ask::new(move |options| async move { bus.answer(query, None, options).await }.boxed())
    }

    /// Asks a query by its name, with what it says as JSON; the answer is JSON, too.
    pub fn ask_json(&self, name: impl Into<String>, content: Value) -> Ask<Value, DomainError> {
        let (bus, name) = (self.clone(), name.into());
        Ask::new(move |options| {
            async move {
                let route = find_route(name)?;
                (route.0)(bus, content, options).await
            }
            .boxed()
        })
    }

    /// The names of all queries that the program answers, sorted.
    ///
    /// # Errors
    ///
    /// When two queries have one name.
    pub fn names(&self) -> Result<Vec<&'static str>, SetupError> {
        let mut names: Vec<_> = routes()?.into_keys().collect();
        names.sort_unstable();
        Ok(names)
    }

    pub(super) async fn answer<Q: HandledQuery>(
        &self,
        query: Q,
        content: Option<Value>,
        options: Options,
    ) -> Result<Q::Result, QueryError<ErrorOf<Q>>> {
        let Inner { models, interceptors } = &*self.inner;
        let Options { metadata, after } = options;
        let mut models = models.clone();
        if let Some((receipt, patience)) = after {
            models = match patience {
                Some(patience) => models.after_within(&receipt, patience),
                None => models.after(&receipt),
            };
        }
        if interceptors.is_empty() {
            let cx = QueryContext::new(models).with_metadata(metadata);
            return query.answer(&cx).await.into_answer().map_err(QueryError::Failed);
        }
        let content = match content {
            Some(content) => content,
            None => serde_json::to_value(&query).map_err(|error| QueryError::Invalid {
                name: Q::NAME.to_owned(),
                reason: format!("it has no JSON: {error}"),
            })?,
        };
        let mut call = QueryCall { name: Q::NAME, content, metadata, models };
        let mut seen = Vec::with_capacity(interceptors.len());
        let mut answer = Ok(());
        for interceptor in interceptors {
            if let Err(refusal) = interceptor.before(&mut call).await {
                answer = Err(QueryError::Refused(refusal));
                break;
            }
            seen.push(interceptor);
        }
        let answer = match answer {
            Ok(()) => {
                let cx = QueryContext::new(call.models.clone());
                let cx = cx.with_metadata(call.metadata.clone());
                query.answer(&cx).await.into_answer().map_err(QueryError::Failed)
            }
            Err(error) => Err(error),
        };
        for interceptor in seen.into_iter().rev() {
            let outcome = match &answer {
                Ok(_) => QueryOutcome::Answered,
                Err(error) => QueryOutcome::Failed(error),
            };
            interceptor.after(&call, outcome).await;
        }
        answer
    }
}

impl fmt::Debug for QueryBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryBus").finish_non_exhaustive()
    }
}

impl QueryBusBuilder {
    /// Adds an interceptor. Those added first see a query first and its end last.
    pub fn interceptor(mut self, interceptor: impl QueryInterceptor) -> Self {
        self.inner.interceptors.push(Arc::new(interceptor));
        self
    }

    /// Makes the bus.
    ///
    /// # Errors
    ///
    /// When two queries of the program have one name.
    pub fn build(self) -> Result<QueryBus, SetupError> {
        routes()?;
        Ok(QueryBus { inner: Arc::new(self.inner) })
    }
}

impl fmt::Debug for QueryBusBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryBusBuilder").finish_non_exhaustive()
    }
}

fn routes() -> Result<HashMap<&'static str, QueryRoute>, SetupError> {
    let mut known: HashMap<&str, &QueryRegistration> = HashMap::new();
    for query in QueryRegistration::all() {
        if let Some(other) = known.insert(query.query, query) {
            let (one, other) = sorted((other.type_name)(), (query.type_name)());
            return Err(SetupError::query_name(query.query, [one, other]));
        }
    }
    Ok(known.into_iter().map(|(name, query)| (name, query.route)).collect())
}

fn find_route(name: String) -> Result<QueryRoute, QueryError<DomainError>> {
    let routes = routes().map_err(QueryError::Setup)?;
    routes.get(&*name).copied().ok_or_else(|| {
        let nearest = nearest(&name, routes.keys().copied());
        QueryError::Unknown { name, nearest }
    })
}

/// What the caller said beside the query.
#[derive(Debug, Default)]
pub(crate) struct Options {
    metadata: Metadata,
    after: Option<(Receipt, Option<Duration>)>,
}

type Answered<T, E> = BoxFuture<'static, Result<T, QueryError<E>>>;

/// A query that is answered when it is awaited.
///
/// # Cancel safety
///
/// A dropped query has read nothing that anyone misses.
#[must_use = "a query is not asked until it is awaited"]
pub struct Ask<T, E> {
    options: Options,
    run: Box<dyn FnOnce(Options) -> Answered<T, E> + Send>,
}

impl<T, E> Ask<T, E> {
    fn new(run: impl FnOnce(Options) -> Answered<T, E> + Send + 'static) -> Self {
        Self { options: Options::default(), run: Box::new(run) }
    }

    /// Has the rows that the handler reads say what a receipt names: reading them waits until their projections have passed it,
    /// for five seconds at most.
    pub fn after(mut self, receipt: &Receipt) -> Self {
        self.options.after = Some((receipt.clone(), None));
        self
    }

    /// The same with a patience of one's own.
    pub fn after_within(mut self, receipt: &Receipt, patience: Duration) -> Self {
        self.options.after = Some((receipt.clone(), Some(patience)));
        self
    }

    /// Sets who asks.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.options.metadata.user = Some(user.into());
        self
    }

    /// Sets the id under which all that belongs to one request is found.
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.options.metadata.correlation_id = Some(id.into());
        self
    }

    /// Sets a header, which interceptors and the handler see.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.metadata.headers.insert(name.into(), value.into());
        self
    }
}

impl<T, E> IntoFuture for Ask<T, E> {
    type Output = Result<T, QueryError<E>>;
    type IntoFuture = Answered<T, E>;

    fn into_future(self) -> Answered<T, E> {
        (self.run)(self.options)
    }
}

impl<T, E> fmt::Debug for Ask<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask").field("options", &self.options).finish_non_exhaustive()
    }
}
