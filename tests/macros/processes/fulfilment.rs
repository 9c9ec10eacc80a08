//! A process that steers orders, stock and payments.

use std::time::Duration;

use annals::prelude::*;
use annals::process::{CommandEnum, Process, Start};
use annals_testing::recorded;
use serde_json::json;

use super::run::{Run, routed};
use crate::fulfilment::{Fulfilment, FulfilmentCommand, Stage};
use crate::shop::*;

fn confirmed(quantity: u32) -> RecordedEvent {
    recorded::<Order>("o-1", OrderConfirmed { product: "p-1".into(), quantity })
}

fn reserved(quantity: u32) -> RecordedEvent {
    recorded::<Stock>("p-1", StockReserved { order: "o-1".into(), quantity })
}

fn charged() -> RecordedEvent {
    recorded::<Payment>("o-1", PaymentCharged { order: "o-1".into() })
}

fn cancelled() -> RecordedEvent {
    recorded::<Order>("o-1", OrderCancelled { reason: "by the customer".into() })
}

fn begun() -> Run {
    Run::of::<Fulfilment>("o-1").when(confirmed(2))
}

fn state(stage: Stage) -> Fulfilment {
    Fulfilment { product: "p-1".into(), quantity: 2, stage }
}

#[test]
fn a_step_begins_changes_and_ends_it() {
    let mut run = begun();
    let reserve = json!({ "product": "p-1", "order": "o-1", "quantity": 2 });
    assert_eq!(run.sent, [("ReserveStock".to_owned(), reserve)]);
    assert_eq!(run.state::<Fulfilment>(), Some(state(Stage::Reserving)));
    let mut run = run.when(reserved(2));
    assert_eq!(run.sent, [("ChargePayment".to_owned(), json!({ "order": "o-1" }))]);
    assert_eq!(run.state::<Fulfilment>(), Some(state(Stage::Charging)));
    let mut run = run.when(charged());
    assert_eq!(run.names(), ["ShipOrder"]);
    assert_eq!(run.state::<Fulfilment>(), None);
}

#[test]
fn what_needs_a_process_is_skipped_without_one() {
    assert!(Run::of::<Fulfilment>("o-1").when(cancelled()).skipped);
    assert!(Run::of::<Fulfilment>("o-1").when(charged()).skipped);
}

#[test]
fn a_step_in_place_sends_or_sends_nothing() {
    let mut run = begun().when(cancelled());
    assert_eq!(run.sent, []);
    assert_eq!(run.state::<Fulfilment>(), Some(state(Stage::GivenUp)));
    let mut run = run.when(reserved(2));
    assert_eq!(run.names(), ["ReleaseStock"]);
    assert_eq!(run.state::<Fulfilment>(), None);
}

#[test]
fn a_refusal_comes_back_to_its_step() {
    let why = Rejection::domain(ShopError::OutOfStock { available: 1 });
    let mut run = begun().when_rejected(&why);
    let cancel = json!({ "order": "o-1", "reason": "only 1 left" });
    assert_eq!(run.sent, [("CancelOrder".to_owned(), cancel)]);
    assert_eq!(run.state::<Fulfilment>(), None);

    // The state before the end.
    let not_now = Rejection::domain(ShopError::NotNow(Order::Cancelled));
    let run = begun().when(reserved(2)).when(charged()).when_rejected(&not_now);
    assert_eq!(run.names(), ["ReleaseStock", "RefundPayment"]);
}

#[test]
fn a_deadline_fires_by_its_name() {
    let run = begun();
    assert_eq!(run.deadlines(), [("too_slow", Timestamp::MIN + Duration::from_mins(15))]);
    assert_eq!(Fulfilment::TOO_SLOW.as_str(), "too_slow");
    let mut run = run.when_due("too_slow");
    assert_eq!(run.names(), ["CancelOrder"]);
    assert_eq!(run.deadlines(), []);
    assert_eq!(run.state::<Fulfilment>(), Some(state(Stage::GivenUp)));
}

#[test]
fn an_event_goes_where_its_stream_or_its_field_says() {
    assert_eq!(routed::<Fulfilment>(&confirmed(1)), ["o-1"]);
    assert_eq!(routed::<Fulfilment>(&reserved(1)), ["o-1"]);
    let elsewhere = recorded::<Order>("o-2", OrderShipped);
    assert_eq!(routed::<Fulfilment>(&elsewhere), [""; 0]);
}

#[test]
fn options_of_a_process_are_what_was_written() {
    assert_eq!((Fulfilment::NAME, Fulfilment::VERSION), ("fulfilment", 1));
    assert_eq!(Fulfilment::START, Start::Head);
    let names: Vec<_> = FulfilmentCommand::COMMANDS.iter().map(|sent| sent.name).collect();
    assert_eq!(
        names,
        [
            "ReserveStock",
            "ReleaseStock",
            "ChargePayment",
            "RefundPayment",
            "ShipOrder",
            "CancelOrder"
        ]
    );
    let steps = format!("{:?}", Fulfilment::steps());
    let expected = "Steps { events: [\"OrderConfirmed\", \"StockReserved\", \"PaymentCharged\", \"PaymentDeclined\", \
                    \"OrderCancelled\"], refused: [\"ReserveStock\", \"ShipOrder\"], deadlines: [\"too_slow\"] }";
    assert_eq!(steps, expected);
    let links = annals::registry::ProcessRegistration::all();
    assert!(links.map(|process| process.name).any(|name| name == "fulfilment"));
}

#[test]
fn the_enum_of_commands_is_what_a_derive_would_write() {
    let ship = FulfilmentCommand::from(ShipOrder { order: "o-1".into() });
    assert_eq!(format!("{ship:?}"), "ShipOrder(ShipOrder { order: OrderId(\"o-1\") })");
    assert_eq!(ship.name(), "ShipOrder");
    assert_eq!(ship.content().unwrap(), json!({ "order": "o-1" }));
    assert_eq!(ship.clone().same_command(&ship), Some(true));
    let other = FulfilmentCommand::from(ShipOrder { order: "o-2".into() });
    assert_eq!(ship.same_command(&other), Some(false));
    let refund = FulfilmentCommand::from(RefundPayment { order: "o-1".into() });
    assert_eq!(ship.same_command(&refund), Some(false));
}
