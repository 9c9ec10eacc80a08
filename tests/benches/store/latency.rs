//! How long it takes from the commit of an append until another program has the event.

use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::{Append, Expected};
use annals_postgres::PostgresStore;

use super::{events, raw};

/// From the commit of an append to a reader of another program.
pub async fn of_a_wait(store: &PostgresStore) {
    const APPENDS: usize = 1_000;
    let options = (*store.pool().connect_options()).clone();
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(4).connect_lazy_with(options);
    let reader = PostgresStore::from_pool(pool).await.expect("a reader");
    let mut times = Vec::new();
    for number in 0..APPENDS {
        let head = reader.head().await.unwrap();
        let waiting = tokio::spawn({
            let reader = reader.clone();
            async move {
                reader.wait_for_events(head).await.unwrap();
                Instant::now()
            }
        });
        tokio::time::sleep(raw::POLL).await;
        let stream = StreamId::new("tally", format!("latency-{number}"));
        let append = Append::new(stream, Expected::NoStream, events(1));
        store.append(vec![append]).await.unwrap();
        let committed = Instant::now();
        times.push(waiting.await.unwrap().saturating_duration_since(committed));
    }
    println!("from commit to a reader in another program, ms");
    show_shares(times);
}

/// From the commit of an append to a consumer of a subscription in another program, which acknowledges each.
pub async fn of_a_subscription(store: &PostgresStore) {
    const APPENDS: usize = 1_000;
    let options = (*store.pool().connect_options()).clone();
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(4).connect_lazy_with(options);
    let reader = PostgresStore::from_pool(pool).await.expect("a reader");
    let subscribe = reader.subscribe().from_head().categories(["delivery"]).durable("delivery");
    let mut subscription = subscribe.await.expect("a subscription");
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(event)) = subscription.next().await {
            let _ = tell.send(Instant::now());
            subscription.ack(event.position).await.expect("acknowledged");
        }
    });
    let mut times = Vec::new();
    for number in 0..APPENDS {
        // At rest: the acknowledgement before is done, and the subscription waits again.
        tokio::time::sleep(raw::POLL).await;
        let stream = StreamId::new("delivery", number);
        let append = Append::new(stream, Expected::NoStream, events(1));
        store.append(vec![append]).await.unwrap();
        let committed = Instant::now();
        let delivered = told.recv().await.expect("it is delivered");
        times.push(delivered.saturating_duration_since(committed));
    }
    println!("from commit to delivery through a durable subscription in another program, ms");
    show_shares(times);
}

/// Shows the time in which half of all came, and all but a hundredth.
pub fn show_shares(mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times[(share * (times.len() - 1) as f64) as usize].as_secs_f64() * 1e3;
    println!("    p50 {:.2}   p99 {:.2}", at(0.5), at(0.99));
}
