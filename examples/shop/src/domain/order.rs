//! Orders: placed by a customer, paid, shipped, or cancelled before that.

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use super::{BrokenRule, Catalogue, OrderId, ProductId};

/// The most pieces in one order.
pub(crate) const MOST: u32 = 1_000;

/// The longest text that somebody may say.
const LONGEST: usize = 500;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct OrderPlaced {
    pub(crate) customer: String,
    pub(crate) product: ProductId,
    pub(crate) quantity: u32,
    pub(crate) cents: u64,
}

/// The customer says how to pay; what follows, the fulfilment steers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct OrderConfirmed {
    pub(crate) product: ProductId,
    pub(crate) quantity: u32,
    pub(crate) cents: u64,
    pub(crate) card: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct OrderPaid {
    pub(crate) customer: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct ShippingBegun {
    pub(crate) customer: String,
    pub(crate) attempt: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct OrderShipped {
    pub(crate) customer: String,
    pub(crate) tracking: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct ShippingFailed {
    pub(crate) reason: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct OrderCancelled {
    pub(crate) customer: String,
    pub(crate) reason: String,
}

/// By a customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct PlaceOrder {
    #[command(id)]
    pub(crate) order: OrderId,
    pub(crate) customer: String,
    pub(crate) product: ProductId,
    pub(crate) quantity: u32,
}

/// By a customer, who says by which card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct ConfirmOrder {
    #[command(id)]
    pub(crate) order: OrderId,
    pub(crate) card: String,
}

/// By the fulfilment, once stock is reserved and the card is charged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct AcceptPayment {
    #[command(id)]
    pub(crate) order: OrderId,
}

/// By staff.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct ShipOrder {
    #[command(id)]
    pub(crate) order: OrderId,
}

/// By the shipping, when the parcel is on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct RecordShipment {
    #[command(id)]
    pub(crate) order: OrderId,
    pub(crate) tracking: String,
}

/// By the shipping, when it did not come about; staff may try again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct RecordFailedShipment {
    #[command(id)]
    pub(crate) order: OrderId,
    pub(crate) reason: String,
}

/// By a customer, by staff or by the fulfilment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct CancelOrder {
    #[command(id)]
    pub(crate) order: OrderId,
    pub(crate) reason: String,
}

/// Why an order refuses.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum OrderError {
    #[error("an order is of 1 to {MOST} pieces, not of {0}")]
    Quantity(u32),
    #[error("the shop does not sell `{0}`")]
    UnknownProduct(ProductId),
    #[error("the {0} is no text of 1 to {LONGEST} characters, all to be seen")]
    Text(&'static str),
    #[error("an order that is {stage} cannot be {wanted}")]
    NotNow { stage: &'static str, wanted: &'static str },
}

impl BrokenRule for OrderError {
    fn rule(&self) -> &'static str {
        match self {
            Self::Quantity(_) => "quantity",
            Self::UnknownProduct(_) => "unknown-product",
            Self::Text(_) => "text",
            Self::NotNow { .. } => "not-now",
        }
    }
}

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Placed,
    Confirmed,
    Paid,
    Shipping,
    Shipped,
    Cancelled,
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Confirmed => "being paid",
            Self::Paid => "paid",
            Self::Shipping => "being shipped",
            Self::Shipped => "shipped",
            Self::Cancelled => "cancelled",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(
    id = OrderId,
    events(OrderPlaced, OrderConfirmed, OrderPaid, ShippingBegun, OrderShipped, ShippingFailed, OrderCancelled),
    services = Catalogue
)]
pub(crate) struct Order {
    pub(crate) customer: String,
    product: ProductId,
    quantity: u32,
    cents: u64,
    stage: Stage,
    attempts: u32,
}

#[handlers]
impl Order {
    #[handle]
    fn place(command: PlaceOrder, cx: &Context<Self>) -> Result<OrderPlaced, OrderError> {
        let PlaceOrder { customer, product, quantity, .. } = command;
        if !(1..=MOST).contains(&quantity) {
            return Err(OrderError::Quantity(quantity));
        }
        let Some(price) = cx.services().price(&product) else {
            return Err(OrderError::UnknownProduct(product));
        };
        let cents = u64::from(price) * u64::from(quantity);
        Ok(OrderPlaced { customer, product, quantity, cents })
    }

    #[apply]
    fn placed(event: &OrderPlaced) -> Self {
        let OrderPlaced { customer, product, quantity, cents } = event.clone();
        Self { customer, product, quantity, cents, stage: Stage::Placed, attempts: 0 }
    }

    #[handle]
    fn confirm(&self, command: ConfirmOrder) -> Result<OrderConfirmed, OrderError> {
        let card = text("card", command.card)?;
        self.needs(Stage::Placed, "paid")?;
        let (product, quantity, cents) = (self.product.clone(), self.quantity, self.cents);
        Ok(OrderConfirmed { product, quantity, cents, card })
    }

    #[apply]
    fn confirmed(&mut self, _: &OrderConfirmed) {
        self.stage = Stage::Confirmed;
    }

    #[handle]
    fn accept_payment(&self, _: AcceptPayment) -> Result<OrderPaid, OrderError> {
        self.needs(Stage::Confirmed, "marked as paid")?;
        Ok(OrderPaid { customer: self.customer.clone() })
    }

    #[apply]
    fn paid(&mut self, _: &OrderPaid) {
        self.stage = Stage::Paid;
    }

    #[handle]
    fn ship(&self, _: ShipOrder) -> Result<ShippingBegun, OrderError> {
        self.needs(Stage::Paid, "shipped")?;
        Ok(ShippingBegun { customer: self.customer.clone(), attempt: self.attempts + 1 })
    }

    #[apply]
    fn shipping(&mut self, event: &ShippingBegun) {
        self.stage = Stage::Shipping;
        self.attempts = event.attempt;
    }

    #[handle]
    fn record_shipment(&self, command: RecordShipment) -> Result<OrderShipped, OrderError> {
        self.needs(Stage::Shipping, "marked as shipped")?;
        Ok(OrderShipped { customer: self.customer.clone(), tracking: command.tracking })
    }

    #[apply]
    fn shipped(&mut self, _: &OrderShipped) {
        self.stage = Stage::Shipped;
    }

    #[handle]
    fn record_failed_shipment(
        &self,
        command: RecordFailedShipment,
    ) -> Result<ShippingFailed, OrderError> {
        self.needs(Stage::Shipping, "marked as not shipped")?;
        Ok(ShippingFailed { reason: command.reason })
    }

    /// It is where it was before: paid.
    #[apply]
    fn shipping_failed(&mut self, _: &ShippingFailed) {
        self.stage = Stage::Paid;
    }

    /// Cancelling twice changes nothing the second time.
    #[handle]
    fn cancel(&self, command: CancelOrder) -> Result<Option<OrderCancelled>, OrderError> {
        let reason = text("reason", command.reason)?;
        match self.stage {
            Stage::Cancelled => Ok(None),
            Stage::Shipping | Stage::Shipped => Err(self.not_now("cancelled")),
            Stage::Placed | Stage::Confirmed | Stage::Paid => {
                Ok(Some(OrderCancelled { customer: self.customer.clone(), reason }))
            }
        }
    }

    #[apply]
    fn cancelled(&mut self, _: &OrderCancelled) {
        self.stage = Stage::Cancelled;
    }

    fn needs(&self, stage: Stage, wanted: &'static str) -> Result<(), OrderError> {
        if self.stage == stage { Ok(()) } else { Err(self.not_now(wanted)) }
    }

    fn not_now(&self, wanted: &'static str) -> OrderError {
        OrderError::NotNow { stage: self.stage.name(), wanted }
    }
}

/// A text that somebody wrote, if a mail or a page can show it.
fn text(what: &'static str, text: String) -> Result<String, OrderError> {
    let is_shown = !text.trim().is_empty() && !text.chars().any(char::is_control);
    if is_shown && text.chars().count() <= LONGEST { Ok(text) } else { Err(OrderError::Text(what)) }
}

#[cfg(test)]
mod tests {
    use annals_testing::{given, given_nothing};

    use super::*;

    fn place(quantity: u32, product: &str) -> PlaceOrder {
        let (order, customer) = ("o-1".into(), "ada".to_owned());
        PlaceOrder { order, customer, product: product.into(), quantity }
    }

    fn placed() -> OrderPlaced {
        let (customer, product) = ("ada".to_owned(), "tea".into());
        OrderPlaced { customer, product, quantity: 2, cents: 900 }
    }

    fn confirmed() -> OrderConfirmed {
        let (product, card) = ("tea".into(), "card-1".to_owned());
        OrderConfirmed { product, quantity: 2, cents: 900, card }
    }

    fn paid() -> OrderPaid {
        OrderPaid { customer: "ada".to_owned() }
    }

    #[test]
    fn an_order_costs_what_the_catalogue_says() {
        given_nothing::<Order>()
            .with_services(Catalogue::default())
            .when(place(2, "tea"))
            .then(placed());
    }

    #[test]
    fn what_the_shop_does_not_sell_is_refused() {
        let place_in_nothing =
            |command| given_nothing::<Order>().with_services(Catalogue::default()).when(command);
        place_in_nothing(place(2, "gin")).then_error(OrderError::UnknownProduct("gin".into()));
        place_in_nothing(place(0, "tea")).then_error(OrderError::Quantity(0));
        place_in_nothing(place(1_001, "tea")).then_error(OrderError::Quantity(1_001));
    }

    #[test]
    fn nothing_ships_before_it_is_paid() {
        given::<Order>((placed(), confirmed()))
            .with_services(Catalogue::default())
            .when(ShipOrder { order: "o-1".into() })
            .then_error(OrderError::NotNow { stage: "being paid", wanted: "shipped" });
    }

    #[test]
    fn a_shipping_that_failed_can_be_tried_again() {
        let begun = |attempt| ShippingBegun { customer: "ada".to_owned(), attempt };
        let failed = ShippingFailed { reason: "no carrier".to_owned() };
        given::<Order>((placed(), confirmed(), paid(), begun(1), failed))
            .with_services(Catalogue::default())
            .when(ShipOrder { order: "o-1".into() })
            .then(begun(2));
    }

    #[test]
    fn an_order_that_is_cancelled_stays_so() {
        let cancelled = OrderCancelled { customer: "ada".to_owned(), reason: "no".to_owned() };
        given::<Order>((placed(), cancelled))
            .with_services(Catalogue::default())
            .when(CancelOrder { order: "o-1".into(), reason: "again".to_owned() })
            .then_nothing();
    }
}
