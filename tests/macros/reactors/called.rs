//! What a reactor is given, what it may return, and what its options say.

use std::sync::Arc;

use annals::prelude::*;
use annals::process::{Fault, Start};
use annals::registry::ReactorRegistration;
use annals_testing::recorded;
use serde_json::json;

use super::{Log, any, react, react_with};
use crate::shop::*;

pub struct Notices;

/// Each kind of method: async and plain, with and without the context.
#[reactor(name = "notices", services = Log, start = beginning)]
impl Notices {
    #[on]
    async fn confirmed(event: &OrderConfirmed, cx: &EventContext<Self>) {
        let key = cx.idempotency_key();
        cx.services().write(format!("{} {} {key}", cx.key(), event.quantity)).await;
    }

    #[on]
    async fn shipped(_: &OrderShipped) -> Result<(), std::fmt::Error> {
        Self::refuse().await
    }

    #[on]
    fn cancelled(event: &OrderCancelled) -> Result<(), String> {
        Err(event.reason.clone())
    }

    /// A method without a mark stays what it is.
    async fn refuse() -> Result<(), std::fmt::Error> {
        futures::future::ready(()).await;
        Err(std::fmt::Error)
    }
}

fn confirmed() -> RecordedEvent {
    recorded::<Order>("o-1", OrderConfirmed { product: "p-1".into(), quantity: 2 })
}

#[test]
fn a_call_gets_its_event_its_services_and_a_key_to_pass_on() {
    let log = Arc::new(Log::default());
    let event = confirmed();
    assert_eq!(react_with::<Notices>(&log, &event).unwrap(), []);
    assert_eq!(react_with::<Notices>(&log, &event).unwrap(), []);
    let [first, again] = log.lines().try_into().unwrap();
    assert_eq!(first, again, "a second call has the same key");
    let start = format!("order-o-1 2 notices/{}/", event.id.simple());
    assert!(first.starts_with(&start), "{first}");
}

#[test]
fn what_a_call_fails_with_is_told() {
    let shipped = recorded::<Order>("o-1", OrderShipped);
    let failed = react::<Notices>(Log::default(), &shipped).unwrap_err();
    assert!(matches!(&failed, Fault::Failed(why) if why.contains("error")), "{failed:?}");
    let cancelled = recorded::<Order>("o-1", OrderCancelled { reason: "too dear".into() });
    let failed = react::<Notices>(Log::default(), &cancelled).unwrap_err();
    assert!(matches!(&failed, Fault::Failed(why) if why == "too dear"), "{failed:?}");
}

#[test]
fn an_event_that_is_not_taken_is_passed_over() {
    let restocked = recorded::<Stock>("p-1", StockReserved { order: "o-1".into(), quantity: 2 });
    assert_eq!(react::<Notices>(Log::default(), &restocked).unwrap(), []);
}

#[test]
fn options_are_what_was_written() {
    assert_eq!((Notices::NAME, Notices::START), ("notices", Start::Beginning));
    assert_eq!((Choreography::NAME, Choreography::START), ("choreography", Start::Head));
    assert_eq!(Notices::reactions().len(), 3);
    let names: Vec<_> = ReactorRegistration::all().map(|reactor| reactor.name).collect();
    assert!(names.contains(&"notices") && names.contains(&"choreography"), "{names:?}");
    let filter = any::<Choreography>().filter().event_types.unwrap();
    let taken = ["OrderConfirmed", "StockReserved", "PaymentCharged", "OrderCancelled"];
    assert_eq!(filter, taken);
}

pub struct Choreography;

/// Commands of any type, without a list of them.
#[reactor(name = "choreography", start = head)]
impl Choreography {
    #[on]
    fn confirmed(event: &OrderConfirmed, cx: &EventContext<Self>) -> ReserveStock {
        let order = cx.stream_id().id().parse().unwrap();
        ReserveStock { product: event.product.clone(), order, quantity: event.quantity }
    }

    #[on]
    async fn reserved(event: &StockReserved) -> Option<ChargePayment> {
        (event.quantity > 0).then(|| ChargePayment { order: event.order.clone() })
    }

    #[on]
    async fn charged(event: &PaymentCharged) -> Result<(ShipOrder, Vec<CancelOrder>), String> {
        Ok((ShipOrder { order: event.order.clone() }, Vec::new()))
    }

    #[on]
    fn cancelled(_: &OrderCancelled) -> [RefundPayment; 2] {
        ["o-1", "o-2"].map(|order| RefundPayment { order: order.into() })
    }
}

#[track_caller]
fn check(event: RecordedEvent, expected: &[(&str, serde_json::Value)]) {
    let commands = react::<Choreography>((), &event).unwrap();
    let found: Vec<_> =
        commands.into_iter().map(|command| (command.name, command.content)).collect();
    assert_eq!(found, expected);
}

#[test]
fn commands_are_of_any_type_and_number() {
    let reserve = json!({ "product": "p-1", "order": "o-1", "quantity": 2 });
    check(confirmed(), &[("ReserveStock", reserve)]);
    let reserved =
        |quantity| recorded::<Stock>("p-1", StockReserved { order: "o-1".into(), quantity });
    check(reserved(2), &[("ChargePayment", json!({ "order": "o-1" }))]);
    check(reserved(0), &[]);
    let charged = recorded::<Payment>("o-1", PaymentCharged { order: "o-1".into() });
    check(charged, &[("ShipOrder", json!({ "order": "o-1" }))]);
    let cancelled = recorded::<Order>("o-1", OrderCancelled { reason: String::new() });
    let refunds = ["o-1", "o-2"].map(|order| ("RefundPayment", json!({ "order": order })));
    check(cancelled, &refunds);
}
