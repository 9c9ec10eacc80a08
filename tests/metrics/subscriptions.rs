//! What is measured of subscriptions.

use std::time::Duration;

use annals::prelude::*;
use annals::{Append, Expected, MemoryStore, NewEvent, Payload};
use uuid::Uuid;

use crate::measured::measured;

pub async fn append(store: &impl EventStore, stream: &str, events: usize) {
    let event = || NewEvent::new(Uuid::now_v7(), "Measured", 1, Payload::new("{}"));
    let stream_id = StreamId::new("measured", stream);
    let events = std::iter::repeat_with(event).take(events).collect();
    store.append(vec![Append::new(stream_id, Expected::Any, events)]).await.unwrap();
}

#[test]
fn a_durable_subscription_tells_how_far_it_is_behind() {
    let measured = measured(async {
        let clock = ManualClock::at(annals::Timestamp::now() - Duration::from_secs(60));
        let store = MemoryStore::builder().clock(clock.clone()).build();
        append(&store, "a", 10).await;
        let subscribe = store.subscribe().durable("mailer").lease(Duration::from_millis(60));
        let mut mailer = subscribe.page_size(6).await.unwrap();
        for _ in 0..4 {
            mailer.next().await.unwrap().unwrap();
        }
        mailer.ack_delivered().await.unwrap();
        // The lease is renewed a few times meanwhile, and the lag told.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut nameless = store.subscribe().await.unwrap();
        while !nameless.is_caught_up() {
            let _ = tokio::time::timeout(Duration::from_millis(1), nameless.next()).await;
        }
    });
    let labels = "{subscription=mailer}";
    let lag = measured.gauge(&format!("annals_subscription_lag_positions{labels}"));
    assert!((lag - 6.0).abs() < f64::EPSILON, "{lag}");
    let delay = measured.gauge(&format!("annals_subscription_delay_seconds{labels}"));
    assert!((60.0..70.0).contains(&delay), "{delay}");
    let of_subscriptions = measured.0.keys().filter(|key| key.contains("subscription"));
    assert_eq!(of_subscriptions.count(), 2, "one without a name measures nothing");
}

#[test]
fn a_subscription_at_the_end_is_not_behind() {
    let measured = measured(async {
        let clock = ManualClock::at(annals::Timestamp::now() - Duration::from_secs(60));
        let store = MemoryStore::builder().clock(clock).build();
        append(&store, "a", 3).await;
        let mut mailer = store.subscribe().durable("mailer").await.unwrap();
        while !mailer.is_caught_up() {
            let _ = tokio::time::timeout(Duration::from_millis(1), mailer.next()).await;
        }
    });
    let delay = measured.gauge("annals_subscription_delay_seconds{subscription=mailer}");
    assert!(delay.abs() < f64::EPSILON, "{delay}");
}
