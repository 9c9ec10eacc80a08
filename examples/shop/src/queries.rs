//! What is asked of the read models. Who may ask what, `access` decides on the bus.

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use crate::domain::{OrderId, ProductId};
use crate::read_models::{CustomerOrder, OrderPage, Revenue, StockLevel};

/// The most rows of one answer.
pub(crate) const PAGE: u64 = 100;

/// The page of one order.
#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = Option<OrderPage>)]
pub(crate) struct PageOf {
    pub(crate) order: OrderId,
}

/// The orders of a customer, the latest first; `None` if they are to begin behind what is no order of this customer.
#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = Option<Vec<CustomerOrder>>)]
pub(crate) struct OrdersOf {
    pub(crate) customer: String,
    /// The order behind which to begin: the last of the page before.
    pub(crate) behind: Option<OrderId>,
    pub(crate) limit: Option<u64>,
}

/// How much there is of each product.
#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = Vec<StockLevel>)]
pub(crate) struct StockLevels {
    /// The product behind which to begin: the last of the page before.
    pub(crate) behind: Option<ProductId>,
    pub(crate) limit: Option<u64>,
}

/// What was earned from one day to another, both included.
#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = Vec<Revenue>)]
pub(crate) struct RevenueOf {
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    /// The day behind which to begin: the last of the page before.
    pub(crate) behind: Option<String>,
    pub(crate) limit: Option<u64>,
}

fn at_most_a_page(limit: Option<u64>) -> u64 {
    limit.unwrap_or(PAGE).min(PAGE)
}

#[query_handler]
async fn page_of(query: PageOf, cx: &QueryContext) -> Result<Option<OrderPage>, ReadModelError> {
    cx.models().get::<OrderPage>(&query.order).await
}

#[query_handler]
async fn orders_of(
    query: OrdersOf,
    cx: &QueryContext,
) -> Result<Option<Vec<CustomerOrder>>, ReadModelError> {
    let OrdersOf { customer, behind, limit } = query;
    let mut rows = cx
        .models()
        .query::<CustomerOrder>()
        .filter(CustomerOrder::CUSTOMER.eq(&customer))
        .order_by(CustomerOrder::PLACED_AT.desc())
        .limit(at_most_a_page(limit));
    if let Some(order) = behind {
        // Another customer's is as one that is not there.
        match cx.models().get::<CustomerOrder>(&order).await? {
            Some(row) if row.customer == customer => rows = rows.after(&row),
            _ => return Ok(None),
        }
    }
    rows.fetch().await.map(Some)
}

#[query_handler]
async fn stock_levels(
    query: StockLevels,
    cx: &QueryContext,
) -> Result<Vec<StockLevel>, ReadModelError> {
    let mut rows = cx.models().query::<StockLevel>().order_by(StockLevel::PRODUCT.asc());
    if let Some(product) = query.behind {
        rows = rows.filter(StockLevel::PRODUCT.gt(product));
    }
    rows.limit(at_most_a_page(query.limit)).fetch().await
}

#[query_handler]
async fn revenue_of(query: RevenueOf, cx: &QueryContext) -> Result<Vec<Revenue>, ReadModelError> {
    let mut rows = cx.models().query::<Revenue>().order_by(Revenue::DAY.desc());
    if let Some(from) = query.from {
        rows = rows.filter(Revenue::DAY.ge(from));
    }
    if let Some(to) = query.to {
        rows = rows.filter(Revenue::DAY.le(to));
    }
    if let Some(day) = query.behind {
        rows = rows.filter(Revenue::DAY.lt(day));
    }
    rows.limit(at_most_a_page(query.limit)).fetch().await
}
