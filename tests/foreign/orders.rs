//! The aggregate of the guide to projections, whose examples each use it.

use annals::prelude::*;
use serde::{Deserialize, Serialize};

/// The id of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, AggregateId)]
pub struct OrderId(String);

/// A customer has placed the order.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "GuideOrderPlaced")]
pub struct OrderPlaced {
    /// Who.
    pub customer: String,
    /// What it costs.
    pub cents: i64,
}

/// It is on its way.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "GuideOrderShipped")]
pub struct OrderShipped;

/// It is not wanted any more.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "GuideOrderCancelled")]
pub struct OrderCancelled;

/// An order.
#[derive(Debug, Aggregate)]
#[aggregate(id = OrderId, category = "guide_order", events(OrderPlaced, OrderShipped, OrderCancelled))]
pub struct Order;

#[handlers]
impl Order {
    #[apply]
    fn placed(_: &OrderPlaced) -> Self {
        Self
    }

    #[apply]
    fn shipped(&mut self, _: &OrderShipped) {}

    #[apply]
    fn cancelled(&mut self, _: &OrderCancelled) {}
}
