//! The process manager of the contract, for tests that need it without the contract's own tests. `crate::shop` is what it steers.

use std::time::Duration;

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use crate::shop::*;

/// The derive generates `enum FulfilmentCommand` of what it `sends`. Its own stream keeps each step: the event that
/// caused it, the state after it, and the commands that it asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ProcessManager)]
#[process_manager(
    name = "fulfilment",
    version = 1,
    id = OrderId,
    sends(ReserveStock, ReleaseStock, ChargePayment, RefundPayment, ShipOrder, CancelOrder)
)]
pub struct Fulfilment {
    pub product: ProductId,
    pub quantity: u32,
    pub stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Stage {
    Reserving,
    Charging,
    GivenUp,
}

/// The receiver says what a step needs, as in an aggregate: none begins the process, `&mut self` changes it, `self`
/// gives back `Option<Self>` or `Done`. Commands go out at least once and are done once: each carries its own
/// idempotency key, kept with the step in one transaction.
#[process]
impl Fulfilment {
    /// Without a key, it is the process whose id is that of the event's own aggregate.
    #[on]
    fn confirmed(event: &OrderConfirmed, cx: &EventContext<Self>) -> (Self, ReserveStock) {
        let (product, quantity) = (event.product.clone(), event.quantity);
        let reserve = ReserveStock { product: product.clone(), order: cx.id().clone(), quantity };
        (Self { product, quantity, stage: Stage::Reserving }, reserve)
    }

    /// `key = order`: it is the process that the event's field names.
    #[on(key = order)]
    fn reserved(
        self,
        _: &StockReserved,
        cx: &EventContext<Self>,
    ) -> (Option<Self>, FulfilmentCommand) {
        match self.stage {
            Stage::GivenUp => (None, self.release(cx.id()).into()),
            _ => {
                let charge = ChargePayment { order: cx.id().clone() };
                (Some(Self { stage: Stage::Charging, ..self }), charge.into())
            }
        }
    }

    #[on(key = order)]
    fn charged(self, _: &PaymentCharged, cx: &EventContext<Self>) -> Done<Vec<FulfilmentCommand>> {
        let order = cx.id().clone();
        match self.stage {
            Stage::GivenUp => {
                Done(vec![self.release(&order).into(), RefundPayment { order }.into()])
            }
            _ => Done(vec![ShipOrder { order }.into()]),
        }
    }

    #[on(key = order)]
    fn declined(
        self,
        _: &PaymentDeclined,
        cx: &EventContext<Self>,
    ) -> Done<(ReleaseStock, Option<CancelOrder>)> {
        Done((self.release(cx.id()), self.cancel(cx.id(), "payment declined")))
    }

    /// By the customer, or by this process.
    #[on]
    fn cancelled(&mut self, _: &OrderCancelled) {
        self.stage = Stage::GivenUp;
    }

    /// A command that its aggregate refuses comes back; a refusal that nobody takes parks the process.
    #[rejected]
    fn not_reserved(
        self,
        _: &ReserveStock,
        why: &Rejection,
        cx: &EventContext<Self>,
    ) -> Done<Option<CancelOrder>> {
        Done(self.cancel(cx.id(), &why.to_string()))
    }

    /// `Done` holds once its commands are accepted; until then a refusal still finds the process.
    #[rejected]
    fn not_shipped(
        self,
        command: &ShipOrder,
        _: &Rejection,
    ) -> Done<(ReleaseStock, RefundPayment)> {
        Done((self.release(&command.order), RefundPayment { order: command.order.clone() }))
    }

    /// Fires once, that long after the process began, unless it is done by then; survives a restart.
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
        ReleaseStock {
            product: self.product.clone(),
            order: order.clone(),
            quantity: self.quantity,
        }
    }

    fn cancel(&self, order: &OrderId, reason: &str) -> Option<CancelOrder> {
        let needed = self.stage != Stage::GivenUp;
        needed.then(|| CancelOrder { order: order.clone(), reason: reason.into() })
    }
}
