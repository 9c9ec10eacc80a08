//! The shop of contract 4: states as variants, state by value, upserts.

use annals::Misfit;

use crate::fold::{decide, fold};
use crate::shop::{
    CancelOrder, ChargePayment, ConfirmOrder, Order, OrderCancelled, OrderConfirmed, OrderId,
    OrderPlaced, OrderShipped, PaymentEvent, ProductId, Restock, Restocked, Stock,
};

fn order() -> OrderId {
    "o-1".into()
}

fn tea() -> ProductId {
    "tea".into()
}

#[test]
fn an_apply_takes_the_state_and_gives_the_next() {
    let placed = OrderPlaced { product: tea(), quantity: 2 };
    let confirmed = OrderConfirmed { product: tea(), quantity: 2 };
    let shipped = fold::<Order>(order(), (placed.clone(), confirmed, OrderShipped)).unwrap();
    assert_eq!(shipped, Some(Order::Shipped));
    assert_eq!(fold::<Order>(order(), OrderShipped), Err(Misfit::Missing));
    let cancelled =
        fold::<Order>(order(), (placed, OrderCancelled { reason: "late".into() })).unwrap();
    let again = CancelOrder { order: order(), reason: "again".into() };
    assert!(decide(cancelled.as_ref(), again).unwrap().unwrap().is_empty());
    let refused = decide(shipped.as_ref(), ConfirmOrder { order: order() }).unwrap();
    assert!(refused.is_err());
}

#[test]
fn an_upsert_serves_both() {
    let restock = Restock { product: tea(), quantity: 3 };
    assert_eq!(decide::<_, Stock>(None, restock.clone()).unwrap().unwrap().len(), 1);
    let stock =
        fold::<Stock>(tea(), [Restocked { quantity: 3 }, Restocked { quantity: 4 }]).unwrap();
    assert_eq!(stock, Some(Stock { available: 7 }));
    assert_eq!(decide(stock.as_ref(), restock).unwrap().unwrap().len(), 1);
}

#[test]
fn a_handler_may_return_the_enum() {
    let charge = ChargePayment { order: "declined-1".into() };
    let events = decide::<_, crate::shop::Payment>(None, charge).unwrap().unwrap();
    assert!(matches!(events.as_slice(), [PaymentEvent::PaymentDeclined(_)]));
}
