//! What is acknowledged: a durable subscription goes on after it, and delivers again what is not.

use annals::prelude::*;
use annals::{CheckpointChange, CheckpointId, ReadModelStore, SubscriptionError, UnitOfWorkStore};
use std::time::Duration;

use crate::material::{begin, is_still, next, numbers, reason, soon, store_numbers, take};

pub fn checkpoint_id(name: &str) -> CheckpointId {
    CheckpointId { name: name.to_owned(), version: 1, shard: 0 }
}

pub async fn it_goes_on_after_what_was_acknowledged<S: UnitOfWorkStore + Clone>(store: S) {
    store_numbers(&store, 0..10).await;
    let mut subscription = begin(store.subscribe().durable("mailer")).await;
    let seen = take(&mut subscription, 4).await;
    subscription.ack(seen[2].position).await.unwrap();
    let kept = store.checkpoint(&checkpoint_id("mailer")).await.unwrap();
    assert_eq!(kept, Some(seen[2].position));
    soon(subscription.close()).await.unwrap();

    let mut subscription = begin(store.subscribe().durable("mailer")).await;
    assert_eq!(subscription.position(), seen[2].position);
    assert_eq!(numbers(&take(&mut subscription, 7).await), (3..10).collect::<Vec<_>>());
    // Another name has read nothing yet, and where it begins is only for the first time.
    let eighth = store.log_page(&ReadAll::after(Position::START).limit(8)).await.unwrap().reached;
    let mut other = begin(store.subscribe().durable("other").after(eighth)).await;
    let seen = take(&mut other, 2).await;
    assert_eq!(numbers(&seen), [8, 9]);
    other.ack(seen[0].position).await.unwrap();
    soon(other.close()).await.unwrap();
    let mut other = begin(store.subscribe().durable("other").from_head()).await;
    assert_eq!(numbers(&take(&mut other, 1).await), [9]);
}

pub async fn what_was_not_acknowledged_is_delivered_again<S: UnitOfWorkStore + Clone>(store: S) {
    store_numbers(&store, 0..6).await;
    for _ in 0..3 {
        let mut subscription = begin(store.subscribe().durable("mailer").page_size(4)).await;
        assert_eq!(numbers(&take(&mut subscription, 5).await), [0, 1, 2, 3, 4]);
    }
    assert_eq!(store.checkpoint(&checkpoint_id("mailer")).await.unwrap(), None);
}

pub async fn a_batch_is_acknowledged_at_once<S: UnitOfWorkStore + Clone>(store: S) {
    store_numbers(&store, 0..10).await;
    let mut subscription = begin(store.subscribe().durable("mailer").page_size(6)).await;
    let batch = soon(subscription.next_batch()).await.unwrap().unwrap();
    subscription.ack_delivered().await.unwrap();
    let kept = store.checkpoint(&checkpoint_id("mailer")).await.unwrap();
    assert_eq!(kept, Some(batch[5].position));
    drop(subscription);
    let mut subscription = begin(store.subscribe().durable("mailer")).await;
    let batch = soon(subscription.next_batch()).await.unwrap().unwrap();
    assert_eq!(numbers(&batch), [6, 7, 8, 9]);
}

pub async fn a_checkpoint_never_goes_back<S: UnitOfWorkStore + Clone>(store: S) {
    store_numbers(&store, 0..5).await;
    let mut subscription = begin(store.subscribe().durable("mailer")).await;
    let seen = take(&mut subscription, 5).await;
    subscription.ack(seen[3].position).await.unwrap();
    subscription.ack(seen[1].position).await.unwrap();
    subscription.ack(Position::START).await.unwrap();
    let kept = store.checkpoint(&checkpoint_id("mailer")).await.unwrap();
    assert_eq!(kept, Some(seen[3].position));
}

pub async fn only_what_was_delivered_is_acknowledged<S: UnitOfWorkStore + Clone>(store: S) {
    let head = store_numbers(&store, 0..5).await;
    let mut subscription = begin(store.subscribe().durable("mailer")).await;
    let first = next(&mut subscription).await;
    // It is in memory, but nobody has seen it.
    match subscription.ack(head).await {
        Err(SubscriptionError::NotDelivered { position, delivered }) => {
            assert_eq!((position, delivered), (head, first.position));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.checkpoint(&checkpoint_id("mailer")).await.unwrap(), None);
    // It goes on all the same.
    assert_eq!(numbers(&take(&mut subscription, 4).await), [1, 2, 3, 4]);
    subscription.ack(head).await.unwrap();
}

pub async fn only_a_durable_subscription_is_acknowledged<S: EventStore + Clone>(store: S) {
    store_numbers(&store, [1]).await;
    let mut subscription = begin(store.subscribe()).await;
    let event = next(&mut subscription).await;
    let refused = subscription.ack(event.position).await.unwrap_err();
    assert!(matches!(refused, SubscriptionError::NotDurable { .. }), "{refused}");
    assert!(refused.to_string().contains(".durable(\"…\")"), "{refused}");
}

pub async fn a_start_at_the_head_is_kept<S: UnitOfWorkStore + Clone>(store: S) {
    store_numbers(&store, 0..3).await;
    let subscribe = || store.subscribe().durable("mailer").from_head();
    soon(begin(subscribe()).await.close()).await.unwrap();
    // What came in between is after where it began, though nothing was ever delivered.
    store_numbers(&store, 3..5).await;
    let mut subscription = begin(subscribe()).await;
    assert_eq!(numbers(&take(&mut subscription, 2).await), [3, 4]);
}

pub async fn checkpoints_may_be_kept_in_another_store<S: UnitOfWorkStore + Clone>(store: S) {
    store_numbers(&store, 0..3).await;
    let apart = MemoryStore::new();
    let subscribe = || store.subscribe().durable("mailer").checkpoints_in(apart.clone());
    let mut subscription = begin(subscribe()).await;
    let first = next(&mut subscription).await;
    subscription.ack_delivered().await.unwrap();
    let id = checkpoint_id("mailer");
    assert_eq!(apart.checkpoint(&id).await.unwrap(), Some(first.position));
    assert_eq!(store.checkpoint(&id).await.unwrap(), None);
    drop(subscription);
    let mut subscription = begin(subscribe()).await;
    assert_eq!(numbers(&take(&mut subscription, 2).await), [1, 2]);
}

pub async fn a_name_that_no_store_keeps_is_refused<S: UnitOfWorkStore + Clone>(store: S) {
    for name in ["", "a\0b", &"x".repeat(256)] {
        match soon(store.subscribe().durable(name)).await {
            Err(SubscriptionError::Store(error)) if error.is_invalid() => {}
            other => panic!("{name:?}: {other:?}"),
        }
    }
    for name in ["'; DROP TABLE annals.checkpoints; --", "ü 🦀 %_\"", &"x".repeat(255)] {
        let mut subscription = begin(store.subscribe().durable(name)).await;
        assert!(is_still(subscription.next()).await);
        soon(subscription.close()).await.unwrap();
    }
}

pub async fn a_checkpoint_ahead_of_the_log_ends_it<S: UnitOfWorkStore + Clone>(store: S) {
    let head = store_numbers(&store, 0..3).await;
    let id = checkpoint_id("mailer");
    let lease = store.claim_lease(&id, "before the restore", Duration::from_hours(1)).await;
    let fence = lease.unwrap().unwrap();
    let position = Position::from(head.get() + 1_000);
    let change = CheckpointChange { fence: fence.clone(), position };
    store.write_rows(Vec::new(), change).await.unwrap();
    store.release_lease(&fence).await.unwrap();

    let mut subscription = begin(store.subscribe().durable("mailer")).await;
    let ended = reason(&mut subscription).await;
    assert!(matches!(&ended, SubscriptionError::Store(error) if error.is_invalid()), "{ended:?}");
    assert!(ended.to_string().contains("reset the reader's checkpoint"), "{ended}");
    // Its name is free again.
    soon(subscription.close()).await.unwrap();
    begin(store.subscribe().durable("mailer")).await;
}
