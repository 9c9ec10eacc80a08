//! The shop over HTTP. It reads requests and writes answers; what may be done, and by whom, is decided behind it.

mod auth;
mod commands;
mod health;
mod openapi;
mod outside;
mod problem;
mod reads;
mod request;
mod server;
mod token;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use annals::health::HealthCheck;
use annals::prelude::*;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use metrics_exporter_prometheus::PrometheusHandle;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::problem::{Kind, Problem};
pub(crate) use self::server::{Limits, serve};
pub use self::token::TokenKey;
use crate::access::CommandAccess;
use crate::outside::Outside;
use crate::users::Users;

/// What the handlers of requests use.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) bus: CommandBus,
    pub(crate) queries: QueryBus,
    pub(crate) users: Arc<Users>,
    pub(crate) access: CommandAccess,
    pub(crate) outside: Arc<Outside>,
    pub(crate) sagas: SagaRunner,
    pub(crate) health: HealthCheck,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) token_key: TokenKey,
    /// How many requests are under way.
    pub(crate) under_way: Arc<AtomicUsize>,
    /// How long a read waits for what it is to see.
    pub(crate) patience: Duration,
    /// The largest body, in bytes.
    pub(crate) body_limit: usize,
    /// How long a body may take.
    pub(crate) reading: Duration,
}

/// The shop as a service.
pub(crate) fn router(app: App) -> Router {
    routes_and_document()
        .0
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(app.body_limit))
        .layer(from_fn(request::correlated))
        .layer(from_fn_with_state(app.under_way.clone(), health::measured))
        .with_state(app)
}

/// All routes, and the document that tells of them.
fn routes_and_document() -> (Router<App>, utoipa::openapi::OpenApi) {
    let (router, api) = OpenApiRouter::with_openapi(openapi::Api::openapi())
        .routes(routes!(commands::place_order, reads::order_page))
        .routes(routes!(commands::pay_order))
        .routes(routes!(commands::ship_order))
        .routes(routes!(commands::cancel_order))
        .routes(routes!(commands::restock))
        .routes(routes!(reads::customer_orders))
        .routes(routes!(reads::stock_levels))
        .routes(routes!(reads::revenue))
        .routes(routes!(outside::tell, outside::show))
        .routes(routes!(outside::parked))
        .routes(routes!(outside::retry))
        .routes(routes!(outside::leave))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .routes(routes!(openapi::problems))
        .split_for_parts();
    (router.merge(openapi::page(api.clone())), api)
}

async fn no_such_path(uri: Uri) -> Problem {
    Problem::new(Kind::NotFound, format!("there is nothing at `{}`", uri.path().escape_debug()))
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    let path = uri.path().escape_debug();
    Problem::new(Kind::MethodNotAllowed, format!("`{path}` does not take {method}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::routes_and_document;

    /// Those of the page to try the API, which are not of the API, and those by which axum knows its fallback.
    const OF_NO_API: [&str; 6] =
        ["/docs", "/docs/", "/docs/{*rest}", "/openapi.json", "/", "/{*__private__axum_fallback}"];

    #[test]
    fn every_route_stands_in_the_document() {
        let (router, api) = routes_and_document();
        // A router tells its paths to nobody but whoever looks at it for debugging.
        let shown = format!("{router:?}");
        let paths = shown.split('"').filter(|part| part.starts_with('/'));
        let served: BTreeSet<&str> = paths.filter(|path| !OF_NO_API.contains(path)).collect();
        let said: BTreeSet<&str> = api.paths.paths.keys().map(String::as_str).collect();
        assert!(!said.is_empty());
        assert_eq!(served, said);
    }
}
