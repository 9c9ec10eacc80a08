//! The read models: an order's page, a customer's orders, stock levels, and revenue by day.

use annals::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{
    Order, OrderCancelled, OrderConfirmed, OrderId, OrderPaid, OrderPlaced, OrderShipped,
    PaymentCharged, PaymentRefunded, ProductId, Restocked, ShippingBegun, ShippingFailed, Stock,
    StockReleased, StockReserved,
};

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ColumnType, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Placed,
    Confirmed,
    Paid,
    Shipping,
    Shipped,
    Cancelled,
}

/// Something that has happened to an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Entry {
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: Timestamp,
    pub(crate) what: String,
}

/// All that is known of one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel, ToSchema)]
#[read_model(table = "order_pages")]
pub(crate) struct OrderPage {
    #[read_model(key)]
    pub(crate) order: OrderId,
    pub(crate) customer: String,
    pub(crate) product: ProductId,
    pub(crate) quantity: u32,
    pub(crate) cents: u64,
    pub(crate) status: Status,
    /// The version of the order's stream; `Expected-Version` of a command may name it.
    pub(crate) version: u64,
    /// By which the carrier knows the parcel.
    pub(crate) tracking: Option<String>,
    pub(crate) refunded: bool,
    #[read_model(json)]
    pub(crate) history: Vec<Entry>,
}

#[projection(exhaustive(Order))]
impl OrderPage {
    #[on]
    fn placed(event: &OrderPlaced, cx: &EventContext<Self>) -> Self {
        let OrderPlaced { customer, product, quantity, cents } = event.clone();
        Self {
            order: cx.key().clone(),
            customer,
            product,
            quantity,
            cents,
            status: Status::Placed,
            version: cx.stream_version(),
            tracking: None,
            refunded: false,
            history: vec![Entry { at: cx.recorded_at(), what: "placed".to_owned() }],
        }
    }

    #[on]
    fn confirmed(&mut self, _: &OrderConfirmed, cx: &EventContext<Self>) {
        self.becomes(Status::Confirmed, "confirmed", cx);
    }

    #[on]
    fn paid(&mut self, _: &OrderPaid, cx: &EventContext<Self>) {
        self.becomes(Status::Paid, "paid", cx);
    }

    #[on]
    fn shipping(&mut self, event: &ShippingBegun, cx: &EventContext<Self>) {
        self.becomes(Status::Shipping, &format!("shipping, attempt {}", event.attempt), cx);
    }

    #[on]
    fn shipped(&mut self, event: &OrderShipped, cx: &EventContext<Self>) {
        self.tracking = Some(event.tracking.clone());
        self.becomes(Status::Shipped, "shipped", cx);
    }

    #[on]
    fn shipping_failed(&mut self, event: &ShippingFailed, cx: &EventContext<Self>) {
        self.becomes(Status::Paid, &format!("not shipped: {}", event.reason), cx);
    }

    #[on]
    fn cancelled(&mut self, event: &OrderCancelled, cx: &EventContext<Self>) {
        self.becomes(Status::Cancelled, &format!("cancelled: {}", event.reason), cx);
    }

    /// Of another stream than the order's: its version says nothing of this one.
    #[on]
    fn refunded(&mut self, _: &PaymentRefunded, cx: &EventContext<Self>) {
        self.refunded = true;
        self.history.push(Entry { at: cx.recorded_at(), what: "refunded".to_owned() });
    }

    fn becomes(&mut self, status: Status, what: &str, cx: &EventContext<Self>) {
        self.status = status;
        self.version = cx.stream_version();
        self.history.push(Entry { at: cx.recorded_at(), what: what.to_owned() });
    }
}

/// One order in the list of its customer's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel, ToSchema)]
#[read_model(table = "customer_orders")]
pub(crate) struct CustomerOrder {
    #[read_model(key)]
    pub(crate) order: OrderId,
    #[read_model(index)]
    pub(crate) customer: String,
    #[read_model(index)]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) placed_at: Timestamp,
    pub(crate) cents: u64,
    pub(crate) status: Status,
}

#[projection(exhaustive(Order))]
impl CustomerOrder {
    #[on]
    fn placed(event: &OrderPlaced, cx: &EventContext<Self>) -> Self {
        let (order, placed_at) = (cx.key().clone(), cx.recorded_at());
        let (customer, cents) = (event.customer.clone(), event.cents);
        Self { order, customer, placed_at, cents, status: Status::Placed }
    }

    #[on]
    fn confirmed(&mut self, _: &OrderConfirmed) {
        self.status = Status::Confirmed;
    }

    #[on]
    fn paid(&mut self, _: &OrderPaid) {
        self.status = Status::Paid;
    }

    #[on]
    fn shipping(&mut self, _: &ShippingBegun) {
        self.status = Status::Shipping;
    }

    #[on]
    fn shipped(&mut self, _: &OrderShipped) {
        self.status = Status::Shipped;
    }

    #[on]
    fn shipping_failed(&mut self, _: &ShippingFailed) {
        self.status = Status::Paid;
    }

    #[on]
    fn cancelled(&mut self, _: &OrderCancelled) {
        self.status = Status::Cancelled;
    }
}

/// How many pieces of a product there are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel, ToSchema)]
#[read_model(table = "stock_levels")]
pub(crate) struct StockLevel {
    #[read_model(key)]
    pub(crate) product: ProductId,
    pub(crate) available: u64,
    /// What orders have taken.
    pub(crate) taken: u64,
}

#[projection(exhaustive(Stock))]
impl StockLevel {
    #[on(upsert)]
    fn restocked(row: Option<Self>, event: &Restocked, cx: &EventContext<Self>) -> Self {
        let (available, taken) = row.map_or((0, 0), |row| (row.available, row.taken));
        let available = available + u64::from(event.quantity);
        Self { product: cx.key().clone(), available, taken }
    }

    #[on]
    fn reserved(&mut self, event: &StockReserved) {
        self.available -= u64::from(event.quantity);
        self.taken += u64::from(event.quantity);
    }

    #[on]
    fn released(&mut self, event: &StockReleased) {
        self.available += u64::from(event.quantity);
        self.taken -= u64::from(event.quantity);
    }
}

/// What was charged and refunded on one day, in UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel, ToSchema)]
#[read_model(table = "revenue_by_day")]
pub(crate) struct Revenue {
    #[read_model(key)]
    #[schema(example = "2026-03-01")]
    pub(crate) day: String,
    pub(crate) payments: u64,
    pub(crate) charged_cents: u64,
    pub(crate) refunded_cents: u64,
}

#[projection]
impl Revenue {
    #[on(upsert, key = |event| day(event.at))]
    fn charged(row: Option<Self>, event: &PaymentCharged) -> Self {
        let row = row.unwrap_or_else(|| Self::none(event.at));
        let charged_cents = row.charged_cents + event.cents;
        Self { payments: row.payments + 1, charged_cents, ..row }
    }

    #[on(upsert, key = |event| day(event.at))]
    fn refunded(row: Option<Self>, event: &PaymentRefunded) -> Self {
        let row = row.unwrap_or_else(|| Self::none(event.at));
        Self { refunded_cents: row.refunded_cents + event.cents, ..row }
    }

    fn none(at: Timestamp) -> Self {
        Self { day: day(at), payments: 0, charged_cents: 0, refunded_cents: 0 }
    }
}

/// The day of an instant, in UTC.
fn day(at: Timestamp) -> String {
    let instant = at.to_string();
    instant.split_once('T').map_or(&*instant, |(day, _)| day).to_owned()
}

#[cfg(test)]
mod tests {
    use annals_testing::{given_history, recorded};

    use super::*;
    use crate::domain::Payment;

    #[test]
    fn revenue_is_told_by_the_day_of_each_payment() {
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let charged = |order: &str, instant| {
            let event = PaymentCharged { order: order.into(), cents: 900, at: at(instant) };
            recorded::<Payment>(order, event)
        };
        let refunded =
            PaymentRefunded { order: "o-1".into(), cents: 900, at: at("2026-03-02T00:00:00Z") };
        let row = |day: &str, payments, charged_cents, refunded_cents| Revenue {
            day: day.to_owned(),
            payments,
            charged_cents,
            refunded_cents,
        };
        given_history([
            charged("o-1", "2026-03-01T23:59:59Z"),
            charged("o-2", "2026-03-01T00:00:00Z"),
            recorded::<Payment>("o-1", refunded),
        ])
        .project::<Revenue>()
        .then_row("2026-03-01", row("2026-03-01", 2, 1_800, 0))
        .then_row("2026-03-02", row("2026-03-02", 0, 0, 900));
    }
}
