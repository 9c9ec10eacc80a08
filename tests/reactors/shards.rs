//! What reactors in several shards promise, on any store.

use std::sync::Arc;
use std::time::Duration;

use annals::prelude::*;

use crate::mailer::{Mailer, Mails, until};
use crate::rules::{PATIENCE, Store, confirm, engine, place, ship};

const ORDERS: usize = 40;

fn orders() -> Vec<String> {
    (0..ORDERS).map(|number| format!("o-{number}")).collect()
}

async fn sharded(bus: &CommandBus, mailer: &Arc<Mailer>) -> ProcessEngine {
    let builder = ProcessEngine::builder(bus.clone()).polling(Duration::from_millis(20));
    let builder = builder.lease(Duration::from_secs(1)).reactor_shards::<Mails>(4);
    let builder = builder.register_reactor::<Mails>().shared_services::<Mails>(mailer.clone());
    builder.start().await.expect("it starts")
}

/// Three mails of each order.
async fn ordered(bus: &CommandBus) {
    for order in &orders() {
        place(bus, order).await;
    }
    for order in &orders() {
        confirm(bus, order).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for order in &orders() {
        ship(bus, order).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn divide(engine: &ProcessEngine, shards: u32) {
    let mails = engine.reactor::<Mails>().expect("it runs");
    mails.set_shards(shards).await.expect("it is divided");
}

/// Nothing is under way when the number changes, so each call is made once.
pub async fn shards_call_each_key_in_its_order_while_their_number_changes<S: Store>(store: S) {
    let (bus, mailer) = (CommandBus::new(store.clone()), Arc::new(Mailer::default()));
    let engine = sharded(&bus, &mailer).await;
    let gate = mailer.hold("o-7");
    let changes = async {
        until("a call is held", || mailer.tries().iter().any(|mail| mail.order == "order-o-7"))
            .await;
        let changed = tokio::spawn({
            let engine = engine.clone();
            async move { divide(&engine, 7).await }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!changed.is_finished(), "a call is under way");
        gate.add_permits(3);
        changed.await.expect("it is divided");
        divide(&engine, 2).await;
    };
    tokio::join!(ordered(&bus), changes);
    engine.settle(PATIENCE).await.expect("all is done");
    for order in &orders() {
        assert_eq!(mailer.sent_for(order), ["placed", "confirmed", "shipped"], "{order}");
    }
    assert_eq!(mailer.tries().len(), 3 * ORDERS, "each was called once");
    let status = engine.status().await.expect("the store answers");
    assert_eq!(status.processes[0].shards.len(), 2);
    engine.shutdown().await.expect("nothing stopped");
}

/// They share the shards, and go on with those of the one that stops. What is handed over may be called again, under its key.
pub async fn engines_share_the_shards<S: Store>(store: S) {
    let (bus, mailer) = (CommandBus::new(store.clone()), Arc::new(Mailer::default()));
    let (first, second) = (sharded(&bus, &mailer).await, sharded(&bus, &mailer).await);
    let here = async |engine: &ProcessEngine| {
        let status = engine.status().await.expect("the store answers");
        status.processes[0].shards.iter().filter(|shard| shard.runs_here).count()
    };
    while (here(&first).await, here(&second).await) != (2, 2) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let changes = async {
        until("a call", || !mailer.sent().is_empty()).await;
        divide(&first, 7).await;
        second.clone().shutdown().await.expect("nothing stopped");
        divide(&first, 2).await;
    };
    tokio::join!(ordered(&bus), changes);
    first.settle(PATIENCE).await.expect("all is done");
    for order in &orders() {
        let mut keys = std::collections::BTreeMap::new();
        let order_key = format!("order-{order}");
        for mail in mailer.sent().into_iter().filter(|mail| mail.order == order_key) {
            let key = keys.entry(mail.says).or_insert_with(|| mail.key.clone());
            assert_eq!(*key, mail.key, "{order}: it is the same call");
        }
        let mut sent = Vec::new();
        for says in mailer.sent_for(order) {
            if !sent.contains(&says) {
                sent.push(says);
            }
        }
        assert_eq!(sent, ["placed", "confirmed", "shipped"], "{order}");
    }
    assert_eq!(here(&first).await, 2, "it has those of the other");
    first.shutdown().await.expect("nothing stopped");
}

pub async fn what_waits_is_for_the_shard_that_has_its_key_then<S: Store>(store: S) {
    let (bus, mailer) = (CommandBus::new(store.clone()), Arc::new(Mailer::default()));
    let running = engine(&bus, &mailer, &store).await;
    let orders: Vec<String> = (0..10).map(|number| format!("o-{number}")).collect();
    for order in &orders {
        mailer.fail(order, Some("no such address"));
        place(&bus, order).await;
        confirm(&bus, order).await;
    }
    running.settle(PATIENCE).await.expect_err("they wait");
    let mails = running.reactor::<Mails>().expect("it runs");
    mails.set_shards(5).await.expect("it is divided");
    for order in &orders {
        mailer.fail(order, None);
        ship(&bus, order).await;
    }
    let key = |order: &String| format!("order-{order}");
    assert!(mails.drop_parked(&key(&orders[0])).await.expect("it is dropped") >= 2);
    for order in &orders[1..] {
        assert!(mails.retry_parked(&key(order)).await.expect("it is tried") >= 2);
    }
    running.settle(PATIENCE).await.expect("all is done");
    for order in &orders[1..] {
        assert_eq!(mailer.sent_for(order), ["placed", "confirmed", "shipped"], "{order}");
    }
    assert!(!mailer.sent_for(&orders[0]).contains(&"placed"));
    running.shutdown().await.expect("nothing stopped");
}
