//! Tests of reactors, as a user writes them.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use annals::prelude::*;
use annals_testing::{Calls, ReactorTest, given_history, recorded};

use crate::shop::*;

/// What stands for a mail server.
#[derive(Debug, Default)]
pub struct Mailer {
    mails: Calls<String>,
    is_down: AtomicBool,
    mailed: AtomicU32,
}

impl Mailer {
    async fn send(&self, mail: String, key: String) -> Result<(), MailError> {
        tokio::task::yield_now().await;
        if self.is_down.load(Ordering::Relaxed) {
            return Err(MailError);
        }
        self.mails.record(key, mail);
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the mail server is down")]
pub struct MailError;

/// Tells customers, and asks for what comes next.
pub struct Notices;

#[reactor(name = "notices", services = Mailer)]
impl Notices {
    #[on]
    async fn confirmed(
        event: &OrderConfirmed,
        cx: &EventContext<Self>,
    ) -> Result<Option<ReserveStock>, MailError> {
        let order: OrderId = cx.stream_id().id().parse().unwrap();
        cx.services().send(format!("order {order} is confirmed"), cx.idempotency_key()).await?;
        let (product, quantity) = (event.product.clone(), event.quantity);
        Ok((quantity > 0).then_some(ReserveStock { product, order, quantity }))
    }

    #[on(key = order, from = Payment)]
    fn charged(event: &PaymentCharged) -> (ShipOrder, ShipOrder) {
        let ship = ShipOrder { order: event.order.clone() };
        (ship.clone(), ship)
    }

    /// For nobody.
    #[on(key = |event| event.reason.strip_prefix("for ").map(str::to_owned))]
    async fn cancelled(_: &OrderCancelled) {}

    /// A call that cannot tell that it was made before.
    #[on]
    async fn shipped(_: &OrderShipped, cx: &EventContext<Self>) -> Result<CancelOrder, MailError> {
        match cx.services().mailed.fetch_add(1, Ordering::Relaxed) {
            1 if cx.key() == "order-once" => Err(MailError),
            times => Ok(CancelOrder { order: "o-1".into(), reason: times.to_string() }),
        }
    }
}

pub fn notices() -> ReactorTest<Notices> {
    given_history([]).reactor::<Notices>(Mailer::default())
}

pub fn notices_without_mail() -> ReactorTest<Notices> {
    let down = Mailer { is_down: true.into(), ..Mailer::default() };
    given_history([confirmed("o-0", 2)]).reactor(down)
}

pub fn confirmed(order: &str, quantity: u32) -> RecordedEvent {
    recorded::<Order>(order, OrderConfirmed { product: "p-1".into(), quantity })
}

pub fn cancelled(reason: &str) -> RecordedEvent {
    recorded::<Order>("o-1", OrderCancelled { reason: reason.into() })
}

pub fn reserve(quantity: u32) -> ReserveStock {
    ReserveStock { product: "p-1".into(), order: "o-1".into(), quantity }
}

#[test]
fn what_it_calls_and_sends() {
    notices()
        .when(confirmed("o-1", 2))
        .then_commands(reserve(2))
        .then_called(|mailer| assert_eq!(mailer.mails.made(), ["order o-1 is confirmed"]))
        .when([confirmed("o-2", 0), confirmed("o-3", 0)])
        .then_no_commands()
        .then_called(|mailer| assert_eq!(mailer.mails.made().len(), 3));
}

#[test]
fn commands_are_compared_in_their_order() {
    let charged = recorded::<Payment>("o-1", PaymentCharged { order: "o-1".into() });
    let ship = || ShipOrder { order: "o-1".into() };
    notices().when(charged).then_commands([ship(), ship()]);
}

#[test]
fn it_is_not_called_for_what_was_given_or_goes_to_no_key() {
    given_history([confirmed("o-1", 2)])
        .reactor::<Notices>(Mailer::default())
        .then_not_called()
        .when(cancelled("too dear"))
        .then_not_called()
        .when(cancelled("for Ada"))
        .then_no_commands()
        .then_called(|mailer| assert_eq!(mailer.mails.made(), [""; 0]));
}

#[test]
fn a_failure_is_expected_and_over_with_the_next_event() {
    notices_without_mail()
        .when(confirmed("o-1", 2))
        .then_failed("mail server")
        .then_no_commands()
        .then_called(|mailer| mailer.is_down.store(false, Ordering::Relaxed))
        .when(confirmed("o-2", 0))
        .then_called(|mailer| assert_eq!(mailer.mails.made(), ["order o-2 is confirmed"]));
}

/// Also where a test has a runtime of its own.
#[tokio::test]
async fn an_async_test_serves_as_well() {
    notices().when(confirmed("o-1", 2)).then_commands(reserve(2));
}
