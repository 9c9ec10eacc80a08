//! A reactor that sends mails, and another that has orders confirmed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use annals::Subject;
use annals::prelude::*;
use annals::projection::{Route, RowError, Source};
use annals::reactor::{CallOn, Reaction, Reactor};
use tokio::sync::Semaphore;

use crate::shop::{ConfirmOrder, OrderConfirmed, OrderPlaced, OrderShipped, Restock};

/// A call as the mailer has seen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub order: String,
    pub says: &'static str,
    pub key: String,
}

/// What the calls use: it fails, waits or panics where a test says so.
#[derive(Default)]
pub struct Mailer {
    sent: Mutex<Vec<Mail>>,
    fails: Mutex<HashMap<String, String>>,
    held: Mutex<HashMap<String, Arc<Semaphore>>>,
    tries: Mutex<Vec<Mail>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mailer {
    /// Has calls for an order fail from now on, or no more.
    pub fn fail(&self, order: &str, reason: Option<&str>) {
        let key = format!("order-{order}");
        match reason {
            Some(reason) => drop(locked(&self.fails).insert(key, reason.to_owned())),
            None => drop(locked(&self.fails).remove(&key)),
        }
    }

    /// Has calls for an order wait until the semaphore lets them go.
    pub fn hold(&self, order: &str) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        locked(&self.held).insert(format!("order-{order}"), gate.clone());
        gate
    }

    pub fn sent(&self) -> Vec<Mail> {
        locked(&self.sent).clone()
    }

    pub fn tries(&self) -> Vec<Mail> {
        locked(&self.tries).clone()
    }

    /// What was sent for an order, in its order.
    pub fn sent_for(&self, order: &str) -> Vec<&'static str> {
        let order = format!("order-{order}");
        self.sent().into_iter().filter(|mail| mail.order == order).map(|mail| mail.says).collect()
    }

    async fn send(&self, order: &str, says: &'static str, key: String) -> Result<(), String> {
        let mail = Mail { order: order.to_owned(), says, key };
        locked(&self.tries).push(mail.clone());
        let gate = locked(&self.held).get(order).cloned();
        if let Some(gate) = gate {
            gate.acquire().await.map_err(|error| error.to_string())?.forget();
        }
        let fails = locked(&self.fails).get(order).cloned();
        match fails {
            Some(reason) if reason == "panic" => panic!("the mailer broke"),
            Some(reason) => Err(reason),
            None => {
                locked(&self.sent).push(mail);
                Ok(())
            }
        }
    }
}

/// Waits until something is so, for ten seconds at most.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not within ten seconds: {what}");
}

pub struct Mails;

#[reactor(name = "mails", services = Mailer)]
impl Mails {
    #[on]
    async fn placed(_: &OrderPlaced, cx: &EventContext<Self>) -> Result<(), String> {
        cx.services().send(cx.key(), "placed", cx.idempotency_key()).await
    }

    #[on]
    async fn confirmed(_: &OrderConfirmed, cx: &EventContext<Self>) -> Result<(), String> {
        cx.services().send(cx.key(), "confirmed", cx.idempotency_key()).await
    }

    #[on]
    async fn shipped(_: &OrderShipped, cx: &EventContext<Self>) -> Result<(), String> {
        cx.services().send(cx.key(), "shipped", cx.idempotency_key()).await
    }
}

pub struct History;

#[reactor(name = "history", services = Mailer, start = beginning)]
impl History {
    #[on]
    async fn placed(_: &OrderPlaced, cx: &EventContext<Self>) -> Result<(), String> {
        cx.services().send(cx.key(), "placed", cx.idempotency_key()).await
    }
}

/// Has each order confirmed that is placed: choreography. By hand, as the attribute writes it.
pub struct Confirms;

impl Subject for Confirms {
    type Key = String;
}

impl Reactor for Confirms {
    type Services = ();
    const NAME: &'static str = "confirms";

    fn reactions() -> Vec<Reaction<Self>> {
        vec![Reaction::of::<OrderPlaced>()]
    }
}

impl CallOn<OrderPlaced> for Confirms {
    type Output = ConfirmOrder;

    fn source() -> Source<Self> {
        Source::any()
    }

    fn route(_: &OrderPlaced, recorded: &RecordedEvent) -> Result<Route<String>, RowError> {
        Ok(Route::One(recorded.stream_id.id().to_owned()))
    }

    async fn call(_: &OrderPlaced, cx: &EventContext<Self>) -> ConfirmOrder {
        ConfirmOrder { order: cx.key().as_str().into() }
    }
}

/// Has each order confirmed that is placed, once the mailer has told of it.
pub struct Asks;

#[reactor(name = "asks", services = Mailer)]
impl Asks {
    #[on]
    async fn placed(_: &OrderPlaced, cx: &EventContext<Self>) -> Result<ConfirmOrder, String> {
        cx.services().send(cx.key(), "placed", cx.idempotency_key()).await?;
        Ok(ConfirmOrder { order: cx.stream_id().id().into() })
    }
}

/// Two commands of one kind to one aggregate.
pub struct Restocks;

#[reactor(name = "restocks")]
impl Restocks {
    #[on]
    async fn placed(event: &OrderPlaced) -> [Restock; 2] {
        let restock = |quantity| Restock { product: event.product.clone(), quantity };
        [restock(1), restock(2)]
    }
}
