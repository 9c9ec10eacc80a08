//! Payments: one for each order that is confirmed.

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use super::OrderId;

/// `at` is the instant of the decision: revenue is told by day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct PaymentCharged {
    pub(crate) order: OrderId,
    pub(crate) cents: u64,
    pub(crate) at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct PaymentDeclined {
    pub(crate) order: OrderId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct PaymentRefunded {
    pub(crate) order: OrderId,
    pub(crate) cents: u64,
    pub(crate) at: Timestamp,
}

/// By the fulfilment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct ChargePayment {
    #[command(id)]
    pub(crate) order: OrderId,
    pub(crate) cents: u64,
    pub(crate) card: String,
}

/// By the fulfilment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct RefundPayment {
    #[command(id)]
    pub(crate) order: OrderId,
}

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(id = OrderId, events(PaymentCharged, PaymentDeclined, PaymentRefunded))]
pub(crate) struct Payment {
    /// What was charged and not refunded.
    cents: u64,
}

#[handlers]
impl Payment {
    /// A card whose name begins with `declined` is declined.
    #[handle]
    fn charge(command: ChargePayment, cx: &Context<Self>) -> PaymentEvent {
        let ChargePayment { order, cents, card } = command;
        if card.starts_with("declined") {
            PaymentDeclined { order }.into()
        } else {
            PaymentCharged { order, cents, at: cx.now() }.into()
        }
    }

    #[apply]
    fn charged(event: &PaymentCharged) -> Self {
        Self { cents: event.cents }
    }

    #[apply]
    fn declined(_: &PaymentDeclined) -> Self {
        Self { cents: 0 }
    }

    /// Refunding twice refunds once.
    #[handle]
    fn refund(&self, command: RefundPayment, cx: &Context<Self>) -> Option<PaymentRefunded> {
        let (order, cents, at) = (command.order, self.cents, cx.now());
        (cents > 0).then_some(PaymentRefunded { order, cents, at })
    }

    #[apply]
    fn refunded(&mut self, _: &PaymentRefunded) {
        self.cents = 0;
    }
}
