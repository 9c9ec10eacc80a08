//! The services outside, which can be told to fail, and what waits for a person since they did; for staff.

use std::error::Error;

use annals::prelude::*;
use annals::saga::SagaRun;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;

use super::App;
use super::auth::Staff;
use super::openapi::Problems;
use super::problem::{Kind, Problem};
use super::request::{Body, Id, ShipmentId, Traced};
use crate::outside::{Faults, Service, Shown};
use crate::shipping::Delivery;
use crate::users::User;

fn service<'a>(app: &'a App, name: &str) -> Result<&'a Service, Problem> {
    let no_such = || Problem::new(Kind::NotFound, format!("there is no service `{name}`"));
    app.outside.named(name).ok_or_else(no_such)
}

/// How a service is.
#[utoipa::path(
    get, path = "/outside/{service}", tag = "outside",
    params(("service" = String, Path, description = "`carrier` or `warehouse`")),
    responses((status = 200, body = Shown), Problems)
)]
pub(crate) async fn show(
    _: Staff,
    State(app): State<App>,
    Id(name): Id<String>,
) -> Result<Json<Shown>, Problem> {
    Ok(Json(service(&app, &name)?.shown().await))
}

/// Tells a service which calls are to go wrong from now on.
#[utoipa::path(
    put, path = "/outside/{service}", tag = "outside",
    params(("service" = String, Path, description = "`carrier` or `warehouse`")),
    request_body = Faults,
    responses((status = 200, body = Shown), Problems)
)]
pub(crate) async fn tell(
    _: Staff,
    State(app): State<App>,
    Id(name): Id<String>,
    Body(faults): Body<Faults>,
) -> Result<Json<Shown>, Problem> {
    let service = service(&app, &name)?;
    let told = service.tell(faults).await;
    told.map_err(|error| Problem::bad_request(error.to_string()).in_field(error.field))?;
    Ok(Json(service.shown().await))
}

/// A shipment that waits for a person: not all that was done could be undone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Parked {
    /// The shipment: its order, and the attempt.
    #[schema(example = "o-1.1")]
    shipment: String,
    /// Which step failed, and why.
    failed_step: String,
    error: String,
    /// The steps that are not undone.
    not_undone: Vec<String>,
}

/// The most shipments of one answer.
const PAGE: usize = 100;

/// The shipments that wait for a person, those that wait longest first, a hundred at most: the others follow as these are decided.
#[utoipa::path(
    get, path = "/shipments/parked", tag = "outside",
    responses((status = 200, body = Vec<Parked>), Problems)
)]
pub(crate) async fn parked(_: Staff, State(app): State<App>) -> Result<Json<Vec<Parked>>, Problem> {
    let shown = |parked: annals::saga::ParkedSaga| Parked {
        shipment: parked.id,
        failed_step: parked.failed_step,
        error: parked.error,
        not_undone: parked.not_undone.into_iter().map(|not_undone| not_undone.step).collect(),
    };
    Ok(Json(app.sagas.parked().limit(PAGE).await?.into_iter().map(shown).collect()))
}

/// How a shipment is on which somebody has decided.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Decided {
    /// Whether it waits for a person.
    parked: bool,
}

/// Tries again what could not be undone of a shipment.
///
/// 202 says that this is stored, and being tried still: it ends, or stands at `/shipments/parked` again.
#[utoipa::path(
    post, path = "/shipments/{shipment}/retry", tag = "outside",
    params(("shipment" = String, Path, description = "The shipment, as `/shipments/parked` names it"), Traced),
    responses((status = 200, body = Decided), (status = 202, body = Decided), Problems)
)]
pub(crate) async fn retry(
    Staff(user): Staff,
    traced: Traced,
    State(app): State<App>,
    ShipmentId(shipment): ShipmentId,
) -> Result<(StatusCode, Json<Decided>), Problem> {
    let deadline = Instant::now() + app.patience;
    let retry = said(app.sagas.begin_retry::<Delivery>(&shipment), user, traced);
    stored(retry, deadline).await?;
    // Stored, it goes on though nobody waits for it any more.
    match timeout_at(deadline, app.sagas.outcome::<Delivery>(shipment)).await {
        Ok(Err(SagaError::Store(error))) if error.is_unavailable() => {
            tracing::warn!(error = &error as &dyn Error, "how a shipment ends is not known yet");
            Ok((StatusCode::ACCEPTED, Json(Decided { parked: false })))
        }
        Ok(outcome) => Ok((StatusCode::OK, Json(Decided { parked: !outcome?.is_final() }))),
        Err(_) => Ok((StatusCode::ACCEPTED, Json(Decided { parked: false }))),
    }
}

/// Leaves what could not be undone of a shipment as it is, as when somebody has seen to it by hand.
#[utoipa::path(
    post, path = "/shipments/{shipment}/drop", tag = "outside",
    params(("shipment" = String, Path, description = "The shipment, as `/shipments/parked` names it"), Traced),
    responses((status = 200, body = Decided), Problems)
)]
pub(crate) async fn leave(
    Staff(user): Staff,
    traced: Traced,
    State(app): State<App>,
    ShipmentId(shipment): ShipmentId,
) -> Result<Json<Decided>, Problem> {
    let drop = said(app.sagas.drop_parked::<Delivery>(shipment), user, traced);
    stored(drop, Instant::now() + app.patience).await?;
    Ok(Json(Decided { parked: false }))
}

/// Waits until a decision is stored; one of which that is not known by the deadline is not said to be.
async fn stored(decision: SagaRun<()>, deadline: Instant) -> Result<(), Problem> {
    match timeout_at(deadline, decision).await {
        Ok(Err(SagaError::Store(error))) if error.is_unavailable() => {
            tracing::warn!(error = &error as &dyn Error, "a decision may not be stored");
        }
        Ok(stored) => return Ok(stored?),
        Err(_) => tracing::warn!("a decision is not stored yet"),
    }
    let advice = "it waits for a person until that is stored: `/shipments/parked` tells";
    Err(Problem::new(Kind::UnknownOutcome, advice))
}

/// Says whose decision it is.
fn said<T>(run: SagaRun<T>, user: User, traced: Traced) -> SagaRun<T> {
    let mut run = run.user(user.name);
    if let Some(correlation) = traced.correlation {
        run = run.correlation_id(correlation);
    }
    if let Some(trace) = traced.trace {
        run = run.header("traceparent", trace);
    }
    run
}

impl From<SagaError> for Problem {
    fn from(error: SagaError) -> Self {
        match &error {
            SagaError::NotBegun { .. } | SagaError::NotParked { .. } => {
                Self::new(Kind::NotFound, "no such shipment waits for a person")
            }
            SagaError::Store(error) => Self::store(error),
            SagaError::ShutDown => {
                Self::new(Kind::Unavailable, "the shop is about to end; another instance does it")
            }
            SagaError::Stuck { .. } | SagaError::Unreadable { .. } => {
                tracing::error!(error = &error as &dyn Error, "a shipment is stuck");
                Self::new(Kind::Unavailable, "this shipment goes on when somebody has mended it")
            }
            error => Self::fault(error),
        }
    }
}
