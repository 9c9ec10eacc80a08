//! The shop of the contract: state machines as enums, `upsert`, handlers that return the event enum.

use annals_testing::{given, given_nothing};

use crate::shop::*;

fn placed() -> OrderPlaced {
    OrderPlaced { product: "p".into(), quantity: 2 }
}

fn confirmed() -> OrderConfirmed {
    OrderConfirmed { product: "p".into(), quantity: 2 }
}

#[test]
fn an_order_goes_from_state_to_state() {
    given_nothing::<Order>()
        .when(PlaceOrder { order: "o".into(), product: "p".into(), quantity: 2 })
        .then(placed())
        .when(ConfirmOrder { order: "o".into() })
        .then(confirmed())
        .when(ShipOrder { order: "o".into() })
        .then(OrderShipped)
        .then_state(|order| assert_eq!(*order, Order::Shipped))
        .when(CancelOrder { order: "o".into(), reason: "late".into() })
        .then_error(ShopError::NotNow(Order::Shipped));
}

#[test]
fn cancelling_twice_changes_nothing_the_second_time() {
    given::<Order>((placed(), OrderCancelled { reason: "late".into() }))
        .when(CancelOrder { order: "o".into(), reason: "later".into() })
        .then_nothing()
        .then_state(|order| assert_eq!(*order, Order::Cancelled));
}

#[test]
fn stock_is_new_or_known() {
    given_nothing::<Stock>()
        .when(Restock { product: "p".into(), quantity: 3 })
        .then(Restocked { quantity: 3 })
        .when(Restock { product: "p".into(), quantity: 4 })
        .then(Restocked { quantity: 4 })
        .when(ReserveStock { product: "p".into(), order: "o".into(), quantity: 8 })
        .then_error(ShopError::OutOfStock { available: 7 })
        .when(ReserveStock { product: "p".into(), order: "o".into(), quantity: 5 })
        .then_state(|stock| assert_eq!(stock.available, 2))
        .when(ReleaseStock { product: "p".into(), order: "o".into(), quantity: 5 })
        .then(StockReleased { order: "o".into(), quantity: 5 });
}

#[test]
fn a_payment_is_charged_or_declined_and_refunded_once() {
    given_nothing::<Payment>()
        .when(ChargePayment { order: "o".into() })
        .then(PaymentCharged { order: "o".into() })
        .when(RefundPayment { order: "o".into() })
        .then(PaymentRefunded)
        .when(RefundPayment { order: "o".into() })
        .then_nothing();
    given_nothing::<Payment>()
        .when(ChargePayment { order: "declined-1".into() })
        .then(PaymentDeclined { order: "declined-1".into() });
}
