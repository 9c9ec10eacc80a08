//! Commands: what somebody wants done. The answer says where it was written, never what came of it.

use annals::command::HandlerError;
use annals::prelude::*;
use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::auth::Caller;
use super::openapi::Problems;
use super::problem::Problem;
use super::request::{Body, Id, Sent};
use super::token::Token;
use crate::domain::{
    BrokenRule, CancelOrder, ConfirmOrder, OrderId, PlaceOrder, ProductId, Restock, ShipOrder,
};

/// A command that was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    #[serde(skip)]
    correlation: String,
    /// The stream that it changed.
    #[schema(example = "order-o-1")]
    stream: String,
    /// The version that the stream has now.
    version: u64,
    /// For `after=…` of reads, which then show what was done.
    token: Token,
}

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        let correlation = [("Correlation-Id", self.correlation.clone())];
        (StatusCode::ACCEPTED, correlation, Json(self)).into_response()
    }
}

/// A request that has a command done: who sent it, and what it says beside the command.
pub(crate) struct Request {
    app: App,
    caller: Caller,
    sent: Sent,
}

impl FromRequestParts<App> for Request {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let sent = Sent::from_request_parts(parts, app).await?;
        Ok(Self { app: app.clone(), caller, sent })
    }
}

impl Request {
    /// Has the command done.
    async fn sends<C, A>(self, command: C) -> Result<Accepted, Problem>
    where
        C: HandledBy<A>,
        A: Aggregate,
        HandlerError<A, C>: BrokenRule,
    {
        Ok(self.dispatches(command).await?)
    }

    async fn dispatches<C, A>(
        self,
        command: C,
    ) -> Result<Accepted, DispatchError<HandlerError<A, C>>>
    where
        C: HandledBy<A>,
        A: Aggregate,
    {
        let Self { app, caller, sent: Sent { key, correlation, trace, expected } } = self;
        let dispatch = app.bus.dispatch(command).user(caller.0.name);
        let mut dispatch = dispatch.correlation_id(correlation.clone());
        if let Some(key) = key {
            dispatch = dispatch.idempotency_key(key);
        }
        if let Some(trace) = trace {
            dispatch = dispatch.header("traceparent", trace);
        }
        if let Some(version) = expected {
            dispatch = dispatch.expect_version(version);
        }
        let receipt = dispatch.await?;
        Ok(Accepted {
            correlation,
            token: app.token_key.seal(&receipt),
            stream: receipt.stream_id.to_string(),
            version: receipt.stream_version,
        })
    }
}

/// What to order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Placing {
    #[schema(example = "tea")]
    product: ProductId,
    #[schema(example = 2)]
    quantity: u32,
    /// For whom; staff say it, and of a customer it is themselves.
    customer: Option<String>,
}

/// Places an order under an id of the caller's choice.
#[utoipa::path(
    put, path = "/orders/{order}", tag = "commands",
    params(("order" = String, Path, description = "The order"), Sent),
    request_body = Placing,
    responses((status = 202, body = Accepted), Problems)
)]
pub(crate) async fn place_order(
    request: Request,
    Id(order): Id<OrderId>,
    Body(placing): Body<Placing>,
) -> Result<Accepted, Problem> {
    let Placing { product, quantity, customer } = placing;
    let customer = customer.unwrap_or_else(|| request.caller.0.name.clone());
    let (access, caller) = (request.app.access.clone(), request.caller.0.clone());
    let expected = request.sent.expected;
    let id = order.to_string();
    let placed = request.dispatches(PlaceOrder { order, customer, product, quantity }).await;
    let is_there = |error: &DispatchError<_>| {
        use DispatchError::{AlreadyExists, Conflict, KeyReused};
        matches!(error, AlreadyExists { .. } | Conflict(_) | KeyReused { .. })
    };
    match placed {
        // It may be another's, placed after the bus has looked: then this tells nothing more than if it had been there before.
        Err(error) if is_there(&error) => {
            let version = access.version_of(&caller, &id).await?;
            Err(Problem::from(error).of_existing(expected, version))
        }
        placed => Ok(placed?),
    }
}

/// How to pay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paying {
    /// One whose name begins with `declined` is declined.
    #[schema(example = "card-1")]
    card: String,
}

/// Pays an order: its stock is reserved and its card charged.
#[utoipa::path(
    post, path = "/orders/{order}/payment", tag = "commands",
    params(("order" = String, Path, description = "The order"), Sent),
    request_body = Paying,
    responses((status = 202, body = Accepted), Problems)
)]
pub(crate) async fn pay_order(
    request: Request,
    Id(order): Id<OrderId>,
    Body(Paying { card }): Body<Paying>,
) -> Result<Accepted, Problem> {
    request.sends(ConfirmOrder { order, card }).await
}

/// Ships an order that is paid; for staff.
#[utoipa::path(
    post, path = "/orders/{order}/shipment", tag = "commands",
    params(("order" = String, Path, description = "The order"), Sent),
    responses((status = 202, body = Accepted), Problems)
)]
pub(crate) async fn ship_order(
    request: Request,
    Id(order): Id<OrderId>,
) -> Result<Accepted, Problem> {
    request.sends(ShipOrder { order }).await
}

/// Why an order is cancelled.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancelling {
    #[schema(example = "no longer wanted")]
    reason: String,
}

/// Cancels an order that is not being shipped: what was reserved and charged is given back.
#[utoipa::path(
    post, path = "/orders/{order}/cancellation", tag = "commands",
    params(("order" = String, Path, description = "The order"), Sent),
    request_body = Cancelling,
    responses((status = 202, body = Accepted), Problems)
)]
pub(crate) async fn cancel_order(
    request: Request,
    Id(order): Id<OrderId>,
    Body(Cancelling { reason }): Body<Cancelling>,
) -> Result<Accepted, Problem> {
    request.sends(CancelOrder { order, reason }).await
}

/// What was delivered to the shop.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restocking {
    #[schema(example = 100)]
    quantity: u32,
}

/// Takes a delivery into stock; for staff.
#[utoipa::path(
    post, path = "/stock/{product}/deliveries", tag = "commands",
    params(("product" = String, Path, description = "The product"), Sent),
    request_body = Restocking,
    responses((status = 202, body = Accepted), Problems)
)]
pub(crate) async fn restock(
    request: Request,
    Id(product): Id<ProductId>,
    Body(Restocking { quantity }): Body<Restocking>,
) -> Result<Accepted, Problem> {
    request.sends(Restock { product, quantity }).await
}
