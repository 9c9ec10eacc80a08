//! Reads: queries by the query bus, which decides who may ask what.

use std::str::FromStr;

use annals::query::{Answer, HandledQuery};
use annals::{ReadModelError, Receipt, Timestamp};
use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::App;
use super::auth::Caller;
use super::openapi::Problems;
use super::problem::{Kind, Problem};
use super::request::{Id, asked, parse_id, takes_only};
use crate::domain::OrderId;
use crate::queries::{OrdersOf, PageOf, RevenueOf, StockLevels};
use crate::read_models::{CustomerOrder, OrderPage, Revenue, StockLevel};
use crate::users::Role;

/// What each read takes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Reading {
    /// The token of a command whose effect is to be seen: the answer waits for it, for a while.
    after: Option<String>,
}

/// What a read takes that takes nothing else.
#[derive(Debug, Deserialize)]
pub(crate) struct Nothing {}

impl IntoParams for Nothing {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        Vec::new()
    }
}

/// A request that asks a query: who sent it, what they want to see, and what the read takes beside.
pub(crate) struct Request<P = Nothing> {
    app: App,
    caller: Caller,
    after: Option<Receipt>,
    asked: P,
}

impl<P: DeserializeOwned + IntoParams> FromRequestParts<App> for Request<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let taken = Reading::into_params(|| None).into_iter().chain(P::into_params(|| None));
        let taken: Vec<String> = taken.map(|parameter| parameter.name).collect();
        takes_only(&parts.uri, &taken)?;
        let Reading { after } = asked(&parts.uri)?;
        let after = after.map(|token| app.token_key.open(&token)).transpose()?;
        Ok(Self { app: app.clone(), caller, after, asked: asked(&parts.uri)? })
    }
}

impl<P> Request<P> {
    /// Asks a query; of what they want to see, it waits for the rows to say it.
    async fn asks<Q>(self, query: Q) -> Result<Q::Result, Problem>
    where
        Q: HandledQuery<Output: Answer<Q::Result, Error = ReadModelError>>,
    {
        let Self { app, caller, after, .. } = self;
        let mut ask = app.queries.ask(query).user(caller.0.name);
        if let Some(receipt) = &after {
            ask = ask.after_within(receipt, app.patience);
        }
        Ok(ask.await?)
    }
}

/// The page of an order.
#[utoipa::path(
    get, path = "/orders/{order}", tag = "reads",
    params(("order" = String, Path, description = "The order"), Reading),
    responses((status = 200, body = OrderPage), Problems)
)]
pub(crate) async fn order_page(
    request: Request,
    Id(order): Id<OrderId>,
) -> Result<Json<OrderPage>, Problem> {
    let page = request.asks(PageOf { order }).await?;
    page.map(Json).ok_or_else(Problem::no_such_order)
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// What to begin behind: the order, or the product, that is the last of the page before.
    behind: Option<String>,
    /// How many, 100 at most.
    limit: Option<u64>,
}

impl Paging {
    fn behind<T: FromStr>(&self) -> Result<Option<T>, Problem> {
        let parsed =
            |behind| parse_id(behind).map_err(|problem: Problem| problem.in_field("behind"));
        self.behind.as_deref().map(parsed).transpose()
    }
}

/// The orders of a customer, the latest first.
#[utoipa::path(
    get, path = "/customers/{customer}/orders", tag = "reads",
    params(("customer" = String, Path, description = "The customer"), Reading, Paging),
    responses((status = 200, body = Vec<CustomerOrder>), Problems)
)]
pub(crate) async fn customer_orders(
    request: Request<Paging>,
    Id(customer): Id<String>,
) -> Result<Json<Vec<CustomerOrder>>, Problem> {
    let limit = request.asked.limit;
    let behind = request.asked.behind()?;
    let is_known = request.app.users.role_of(&customer) == Some(Role::Customer);
    let no_such = format!("there is no customer `{customer}`");
    let orders = request.asks(OrdersOf { customer, behind, limit }).await?;
    // One who is known no more may have orders still.
    if orders.as_ref().is_none_or(Vec::is_empty) && !is_known {
        return Err(Problem::new(Kind::NotFound, no_such));
    }
    let no_order = || Problem::bad_request("`behind` is no order of this customer");
    orders.map(Json).ok_or_else(|| no_order().in_field("behind"))
}

/// How much there is of each product.
#[utoipa::path(
    get, path = "/stock", tag = "reads",
    params(Reading, Paging),
    responses((status = 200, body = Vec<StockLevel>), Problems)
)]
pub(crate) async fn stock_levels(
    request: Request<Paging>,
) -> Result<Json<Vec<StockLevel>>, Problem> {
    let (behind, limit) = (request.asked.behind()?, request.asked.limit);
    request.asks(StockLevels { behind, limit }).await.map(Json)
}

/// Of which days.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Days {
    /// The first day, such as `2026-03-01`.
    from: Option<String>,
    /// The last day.
    to: Option<String>,
    /// The day to begin behind: the last of the page before.
    behind: Option<String>,
    /// How many days, 100 at most.
    limit: Option<u64>,
}

/// What was charged and refunded, by day, the latest first; for staff.
#[utoipa::path(
    get, path = "/revenue", tag = "reads",
    params(Reading, Days),
    responses((status = 200, body = Vec<Revenue>), Problems)
)]
pub(crate) async fn revenue(request: Request<Days>) -> Result<Json<Vec<Revenue>>, Problem> {
    let Days { from, to, behind, limit } = &request.asked;
    let (from, to) = (day("from", from.as_ref())?, day("to", to.as_ref())?);
    let (behind, limit) = (day("behind", behind.as_ref())?, *limit);
    request.asks(RevenueOf { from, to, behind, limit }).await.map(Json)
}

/// A day as it is written in the rows.
fn day(name: &str, day: Option<&String>) -> Result<Option<String>, Problem> {
    let is_day = |day: &str| {
        day.len() == "2026-03-01".len() && format!("{day}T00:00:00Z").parse::<Timestamp>().is_ok()
    };
    match day {
        Some(day) if !is_day(day) => {
            let wanted = format!("`{name}` is no day such as `2026-03-01`");
            Err(Problem::bad_request(wanted).in_field(name))
        }
        day => Ok(day.cloned()),
    }
}
