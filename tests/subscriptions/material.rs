//! What the scenarios store, and how they look at what is delivered.

use std::future::IntoFuture;
use std::time::Duration;

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload, Subscribe};
use uuid::Uuid;

pub const COUNTED: &str = "Counted";
pub const RARE: &str = "Rare";

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_mins(1);

pub fn stream(id: &str) -> StreamId {
    StreamId::new("subscribed", id)
}

/// Events that say these numbers.
pub fn append(stream_id: &StreamId, name: &'static str, numbers: &[u64]) -> Append {
    let event =
        |number: &u64| NewEvent::new(Uuid::now_v7(), name, 1, Payload::new(number.to_string()));
    Append::new(stream_id.clone(), Expected::Any, numbers.iter().map(event).collect())
}

pub async fn store_numbers(
    store: &impl EventStore,
    numbers: impl IntoIterator<Item = u64>,
) -> Position {
    let numbers: Vec<u64> = numbers.into_iter().collect();
    let receipts = store.append(vec![append(&stream("a"), COUNTED, &numbers)]).await.unwrap();
    receipts[0].position
}

pub fn number(event: &RecordedEvent) -> u64 {
    event.data.as_str().parse().unwrap()
}

pub fn numbers(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(number).collect()
}

/// What must come.
pub async fn soon<F: IntoFuture>(what: F) -> F::Output {
    tokio::time::timeout(PATIENCE, what.into_future()).await.expect("it comes in time")
}

/// What must not come: nothing has within a moment, while all that it waits for is there already.
pub async fn is_still<F: Future>(what: F) -> bool {
    tokio::time::timeout(Duration::from_millis(50), what).await.is_err()
}

pub async fn begin(subscribe: Subscribe) -> Subscription {
    soon(subscribe).await.unwrap()
}

pub async fn next(subscription: &mut Subscription) -> RecordedEvent {
    soon(subscription.next()).await.expect("it has not ended").unwrap()
}

pub async fn take(subscription: &mut Subscription, count: usize) -> Vec<RecordedEvent> {
    let mut events = Vec::with_capacity(count);
    while events.len() < count {
        events.push(next(subscription).await);
    }
    events
}

/// The reason for which a subscription ends, after which nothing more may come.
pub async fn reason(subscription: &mut Subscription) -> SubscriptionError {
    let reason = loop {
        match soon(subscription.next()).await.expect("it ends with a reason") {
            Ok(_) => {}
            Err(reason) => break reason,
        }
    };
    assert!(soon(subscription.next()).await.is_none(), "nothing comes after the end");
    reason
}

/// Waits until something is so.
pub async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    soon(async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
