//! Whether the shop lives, whether it can serve, and what it measures. Whoever runs it asks, without a token; why
//! it is not well, staff are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use annals::health::Health;
use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::App;
use super::auth::Staff;
use super::problem::Problem;

/// Whether the shop's engines run: one that does not is mended by a restart.
#[utoipa::path(
    get, path = "/health/live", tag = "operation", security(()),
    responses((status = 200, body = Value), (status = 503, body = Value))
)]
pub(crate) async fn live(State(app): State<App>) -> impl IntoResponse {
    // At once: the store may be away, which is no matter of a restart.
    let live = app.health.is_live();
    let status = if live { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "live": live })))
}

/// Whether the shop can answer: its store does, and its read models have caught up.
#[utoipa::path(
    get, path = "/health/ready", tag = "operation", security((), ("token" = [])),
    responses((status = 200, body = Value), (status = 503, body = Value))
)]
pub(crate) async fn ready(
    staff: Result<Staff, Problem>,
    State(app): State<App>,
) -> impl IntoResponse {
    let health = app.health.ask().await;
    answer(health.ready_code(), &health, staff.is_ok())
}

/// Tells staff all; anybody else, a probe among them, how bad it is. What errors say is of the inside: hosts, streams, tables.
fn answer(status: u16, health: &Health, is_for_staff: bool) -> impl IntoResponse + use<> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let body = if is_for_staff { health.to_json() } else { outline(health).to_string() };
    (status, [(CONTENT_TYPE, "application/json")], body)
}

fn outline(health: &Health) -> Value {
    let parts = health.parts.iter();
    let parts: Vec<_> =
        parts.map(|part| json!({ "name": part.name, "level": part.level })).collect();
    json!({ "live": health.live, "ready": health.ready, "level": health.level, "parts": parts })
}

/// What the shop measures, as Prometheus reads it.
#[utoipa::path(
    get, path = "/metrics", tag = "operation", security(()),
    responses((status = 200, body = String, content_type = "text/plain"))
)]
pub(crate) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.render())
}

/// Measures each request by its route, never by its path, which holds ids.
pub(crate) async fn measured(
    State(under_way): State<Arc<AtomicUsize>>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let _counted = Counted::new(under_way);
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "none".to_owned());
    let method = known(request.method());
    let response = next.run(request).await;
    let status = response.status().as_str().to_owned();
    let labels = [("method", method.to_owned()), ("route", route), ("status", status)];
    metrics::counter!("shop_http_requests_total", &labels).increment(1);
    metrics::histogram!("shop_http_request_seconds", &labels).record(begun.elapsed());
    response
}

/// The methods that are measured by their names: what else somebody sends is one series, not one for each word.
static METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];

fn known(method: &Method) -> &'static str {
    METHODS.iter().find(|known| *known == method).map_or("other", Method::as_str)
}

/// One request among those that are under way, until it is answered or whoever sent it has gone.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(under_way: Arc<AtomicUsize>) -> Self {
        under_way.fetch_add(1, Ordering::SeqCst);
        metrics::gauge!("shop_http_requests_under_way").increment(1.0);
        Self(under_way)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
        metrics::gauge!("shop_http_requests_under_way").decrement(1.0);
    }
}
