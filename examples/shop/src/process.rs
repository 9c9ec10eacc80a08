//! The fulfilment: from an order that is confirmed to one that is paid and shipped, or to stock and money given back.

use std::time::Duration;

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use crate::domain::{
    AcceptPayment, CancelOrder, ChargePayment, OrderCancelled, OrderConfirmed, OrderId,
    OrderShipped, PaymentCharged, PaymentDeclined, ProductId, RefundPayment, ReleaseStock,
    ReserveStock, StockReserved,
};

/// Steers one order: reserves its stock, charges its card, and waits until it is shipped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ProcessManager)]
#[process_manager(
    name = "fulfilment",
    version = 1,
    id = OrderId,
    sends(ReserveStock, ReleaseStock, ChargePayment, RefundPayment, AcceptPayment, CancelOrder)
)]
pub(crate) struct Fulfilment {
    product: ProductId,
    quantity: u32,
    cents: u64,
    card: String,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Stage {
    Reserving,
    Charging,
    Paid,
    GivenUp,
}

#[process]
impl Fulfilment {
    #[on]
    fn confirmed(event: &OrderConfirmed, cx: &EventContext<Self>) -> (Self, ReserveStock) {
        let OrderConfirmed { product, quantity, cents, card } = event.clone();
        let reserve = ReserveStock { product: product.clone(), order: cx.id().clone(), quantity };
        (Self { product, quantity, cents, card, stage: Stage::Reserving }, reserve)
    }

    #[on(key = order)]
    fn reserved(
        self,
        _: &StockReserved,
        cx: &EventContext<Self>,
    ) -> (Option<Self>, FulfilmentCommand) {
        if self.stage == Stage::GivenUp {
            return (None, self.release(cx.id()).into());
        }
        let (order, cents, card) = (cx.id().clone(), self.cents, self.card.clone());
        let charge = ChargePayment { order, cents, card };
        (Some(Self { stage: Stage::Charging, ..self }), charge.into())
    }

    #[on(key = order)]
    fn charged(
        self,
        _: &PaymentCharged,
        cx: &EventContext<Self>,
    ) -> (Option<Self>, Vec<FulfilmentCommand>) {
        let order = cx.id().clone();
        if self.stage == Stage::GivenUp {
            return (None, vec![self.release(&order).into(), RefundPayment { order }.into()]);
        }
        (Some(Self { stage: Stage::Paid, ..self }), vec![AcceptPayment { order }.into()])
    }

    #[on(key = order)]
    fn declined(
        self,
        _: &PaymentDeclined,
        cx: &EventContext<Self>,
    ) -> Done<(ReleaseStock, Option<CancelOrder>)> {
        Done((self.release(cx.id()), self.cancel(cx.id(), "payment declined")))
    }

    /// By the customer, by staff or by this process. What is under way is given back when it has come.
    #[on]
    fn cancelled(
        self,
        _: &OrderCancelled,
        cx: &EventContext<Self>,
    ) -> (Option<Self>, Vec<FulfilmentCommand>) {
        let order = cx.id().clone();
        if self.stage == Stage::Paid {
            return (None, vec![self.release(&order).into(), RefundPayment { order }.into()]);
        }
        (Some(Self { stage: Stage::GivenUp, ..self }), Vec::new())
    }

    #[on]
    fn shipped(self, _: &OrderShipped) -> Done<()> {
        Done(())
    }

    #[rejected]
    fn not_reserved(
        self,
        _: &ReserveStock,
        why: &Rejection,
        cx: &EventContext<Self>,
    ) -> Done<Option<CancelOrder>> {
        Done(self.cancel(cx.id(), &why.to_string()))
    }

    /// Cancelled while the card was charged.
    #[rejected]
    fn not_accepted(
        self,
        command: &AcceptPayment,
        _: &Rejection,
    ) -> Done<(ReleaseStock, RefundPayment)> {
        Done((self.release(&command.order), RefundPayment { order: command.order.clone() }))
    }

    #[deadline(name = "too_slow", after = Duration::from_mins(15))]
    fn too_slow(&mut self, cx: &EventContext<Self>) -> Option<CancelOrder> {
        if self.stage != Stage::Reserving {
            return None;
        }
        let cancel = self.cancel(cx.id(), "timed out");
        self.stage = Stage::GivenUp;
        cancel
    }

    fn release(&self, order: &OrderId) -> ReleaseStock {
        let (product, order, quantity) = (self.product.clone(), order.clone(), self.quantity);
        ReleaseStock { product, order, quantity }
    }

    fn cancel(&self, order: &OrderId, reason: &str) -> Option<CancelOrder> {
        let needed = self.stage != Stage::GivenUp;
        needed.then(|| CancelOrder { order: order.clone(), reason: reason.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use annals_testing::{given_history, recorded};

    use super::*;
    use crate::domain::{Order, OrderError, Payment, Stock, StockError};

    fn confirmed() -> RecordedEvent {
        let (product, card) = ("tea".into(), "card-1".to_owned());
        recorded::<Order>("o-1", OrderConfirmed { product, quantity: 2, cents: 900, card })
    }

    fn reserved() -> RecordedEvent {
        recorded::<Stock>("tea", StockReserved { order: "o-1".into(), quantity: 2 })
    }

    fn charged() -> RecordedEvent {
        let (order, at) = ("o-1".into(), Timestamp::from_micros(0));
        recorded::<Payment>("o-1", PaymentCharged { order, cents: 900, at })
    }

    fn cancelled() -> RecordedEvent {
        let (customer, reason) = ("ada".to_owned(), "no longer wanted".to_owned());
        recorded::<Order>("o-1", OrderCancelled { customer, reason })
    }

    fn release() -> ReleaseStock {
        ReleaseStock { product: "tea".into(), order: "o-1".into(), quantity: 2 }
    }

    fn refund() -> RefundPayment {
        RefundPayment { order: "o-1".into() }
    }

    fn cancel(reason: &str) -> CancelOrder {
        CancelOrder { order: "o-1".into(), reason: reason.to_owned() }
    }

    #[test]
    fn stock_comes_before_payment() {
        let card = "card-1".to_owned();
        given_history([confirmed()])
            .process::<Fulfilment>()
            .when(reserved())
            .then_commands(ChargePayment { order: "o-1".into(), cents: 900, card })
            .when(charged())
            .then_commands(AcceptPayment { order: "o-1".into() });
    }

    #[test]
    fn a_declined_payment_gives_the_stock_back() {
        given_history([confirmed(), reserved()])
            .process::<Fulfilment>()
            .when(recorded::<Payment>("o-1", PaymentDeclined { order: "o-1".into() }))
            .then_commands((release(), cancel("payment declined")))
            .then_done();
    }

    #[test]
    fn an_order_that_is_cancelled_when_it_is_paid_gives_all_back() {
        given_history([confirmed(), reserved(), charged()])
            .process::<Fulfilment>()
            .when(cancelled())
            .then_commands((release(), refund()))
            .then_done();
    }

    #[test]
    fn an_order_that_is_cancelled_while_it_is_charged_gives_all_back() {
        given_history([confirmed(), reserved()])
            .process::<Fulfilment>()
            .when(cancelled())
            .then_no_commands()
            .when(charged())
            .then_commands((release(), refund()))
            .then_done();
        let not_now = OrderError::NotNow { stage: "cancelled", wanted: "marked as paid" };
        given_history([confirmed(), reserved(), charged()])
            .process::<Fulfilment>()
            .when_rejected(AcceptPayment { order: "o-1".into() }, not_now)
            .then_commands((release(), refund()))
            .then_done();
    }

    #[test]
    fn an_order_that_stock_refuses_is_cancelled() {
        let reserve = ReserveStock { product: "tea".into(), order: "o-1".into(), quantity: 2 };
        given_history([confirmed()])
            .process::<Fulfilment>()
            .when_rejected(reserve, StockError::OutOfStock { available: 1 })
            .then_commands(cancel("only 1 left"))
            .then_done();
    }

    #[test]
    fn a_fulfilment_that_hangs_is_cancelled() {
        given_history([confirmed()])
            .process::<Fulfilment>()
            .when_time_passes(Duration::from_mins(15))
            .then_commands(cancel("timed out"));
    }
}
