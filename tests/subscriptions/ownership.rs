//! Who owns a durable name: one at a time, and who was away too long is told.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use annals::prelude::*;
use annals::{Fence, ReadModelStore, StoreError, SubscriptionError, UnitOfWorkStore};
use annals_testing::conformance::faulty::{Fault, Faulty};

use crate::durable::checkpoint_id;
use crate::material::{
    begin, is_still, next, numbers, reason, soon, store_numbers, stream, take, until,
};

/// How many events instances deal with in turn.
const EVENTS: u64 = 120;

const SHORT: Duration = Duration::from_millis(300);

pub async fn another_of_the_name_waits_until_the_first_closes<S: UnitOfWorkStore + Clone>(
    store: S,
) {
    store_numbers(&store, 0..4).await;
    let mut first = begin(store.subscribe().durable("mailer")).await;
    let seen = take(&mut first, 2).await;
    first.ack(seen[0].position).await.unwrap();
    let second = tokio::spawn(begin(store.subscribe().durable("mailer")));
    assert!(
        is_still(async {
            while !second.is_finished() {
                tokio::task::yield_now().await
            }
        })
        .await
    );
    // What it acknowledges last counts, though the other waits already.
    first.ack(seen[1].position).await.unwrap();
    soon(first.close()).await.unwrap();
    let mut second = soon(second).await.unwrap();
    assert_eq!(numbers(&take(&mut second, 2).await), [2, 3]);
}

pub async fn a_dropped_subscription_gives_its_lease_up<S: UnitOfWorkStore + Clone>(store: S) {
    // Without that, this would take hours.
    let subscribe = || store.subscribe().durable("mailer").lease(Duration::from_hours(1));
    for _ in 0..3 {
        drop(begin(subscribe()).await);
    }
    let waiting = begin(subscribe()).await;
    let second = tokio::spawn(begin(subscribe()));
    tokio::task::yield_now().await;
    drop(waiting);
    soon(second).await.unwrap();
}

pub async fn one_who_stopped_waiting_leaves_the_name_free<S: UnitOfWorkStore + Clone>(store: S) {
    let first = begin(store.subscribe().durable("mailer")).await;
    assert!(is_still(store.subscribe().durable("mailer").into_future()).await);
    soon(first.close()).await.unwrap();
    begin(store.subscribe().durable("mailer")).await;
}

pub async fn a_living_owner_keeps_its_lease<S: UnitOfWorkStore + Clone>(store: S) {
    store_numbers(&store, [1]).await;
    let lease = Duration::from_secs(2);
    let mut first = begin(store.subscribe().durable("mailer").lease(lease)).await;
    // Busy with the event for longer than the lease.
    let event = next(&mut first).await;
    let second = begin(store.subscribe().durable("mailer").lease(lease));
    assert!(tokio::time::timeout(lease * 2, second).await.is_err(), "the lease was not renewed");
    first.ack(event.position).await.unwrap();
    assert!(is_still(first.next()).await);
}

/// Cannot reach the leases while it is on, as a process that is cut off or asleep.
#[derive(Default)]
struct CutOff {
    is_on: AtomicBool,
    claimed: AtomicU64,
}

impl CutOff {
    fn set(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::SeqCst);
    }

    /// Waits until the lease was claimed once more.
    async fn renewed(&self) {
        let before = self.claimed.load(Ordering::SeqCst);
        until(async || self.claimed.load(Ordering::SeqCst) > before).await;
    }
}

#[async_trait]
impl<S: Sync> Fault<S> for CutOff {
    async fn claim_lease(
        &self,
        store: &S,
        id: &annals::CheckpointId,
        owner: &str,
        lifetime: Duration,
    ) -> Result<Option<Fence>, StoreError>
    where
        S: ReadModelStore,
    {
        if self.is_on.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("cut off"));
        }
        let fence = store.claim_lease(id, owner, lifetime).await;
        self.claimed.fetch_add(1, Ordering::SeqCst);
        fence
    }
}

pub async fn an_owner_that_was_away_is_told_that_another_took_over<S: UnitOfWorkStore + Clone>(
    store: S,
) {
    store_numbers(&store, 0..6).await;
    let cut_off = Faulty::new(store.clone(), CutOff::default());
    let subscribe = store.subscribe().durable("mailer").lease(SHORT).page_size(4);
    let mut first = begin(subscribe.checkpoints_in(cut_off.clone())).await;
    let seen = take(&mut first, 2).await;
    first.ack(seen[0].position).await.unwrap();
    cut_off.fault().set(true);
    // Takes over as soon as the lease has run out.
    let mut second = begin(store.subscribe().durable("mailer")).await;
    assert_eq!(second.position(), seen[0].position);
    match first.ack(seen[1].position).await {
        Err(SubscriptionError::Fenced { name }) => assert_eq!(name, "mailer"),
        other => panic!("{other:?}"),
    }
    cut_off.fault().set(false);
    cut_off.fault().renewed().await;
    let ended = reason(&mut first).await;
    assert_eq!(ended.to_string(), "subscription `mailer` has passed to another owner");
    // The second was harmed by none of it.
    let seen = take(&mut second, 5).await;
    assert_eq!(numbers(&seen), [1, 2, 3, 4, 5]);
    second.ack_delivered().await.unwrap();
    drop(first);
    let kept = store.checkpoint(&checkpoint_id("mailer")).await.unwrap();
    assert_eq!(kept, Some(seen[4].position));
}

/// Waits until a lease has run out, and takes it for no time at all.
async fn run_out<S: ReadModelStore>(store: &S) -> Fence {
    let id = checkpoint_id("mailer");
    let mut taken = None;
    until(async || {
        taken = store.claim_lease(&id, "another", Duration::ZERO).await.unwrap();
        taken.is_some()
    })
    .await;
    taken.unwrap()
}

pub async fn a_lease_that_ran_out_while_nobody_came_is_held_again<S: UnitOfWorkStore + Clone>(
    store: S,
) {
    store_numbers(&store, 0..3).await;
    let cut_off = Faulty::new(store.clone(), CutOff::default());
    let subscribe = store.subscribe().durable("mailer").lease(SHORT);
    let mut subscription = begin(subscribe.checkpoints_in(cut_off.clone())).await;
    let seen = take(&mut subscription, 2).await;
    subscription.ack(seen[0].position).await.unwrap();
    cut_off.fault().set(true);
    let in_between = run_out(&store).await;
    cut_off.fault().set(false);
    cut_off.fault().renewed().await;
    cut_off.fault().renewed().await;
    // It goes on under a new epoch.
    subscription.ack(seen[1].position).await.unwrap();
    assert_eq!(numbers(&take(&mut subscription, 1).await), [2]);
    let change = annals::CheckpointChange { fence: in_between, position: Position::START };
    assert!(matches!(
        store.write_rows(Vec::new(), change).await,
        Err(annals::WriteError::Fenced { .. })
    ));
}

pub async fn a_lease_is_not_held_again_after_another_acknowledged<S: UnitOfWorkStore + Clone>(
    store: S,
) {
    store_numbers(&store, 0..3).await;
    let cut_off = Faulty::new(store.clone(), CutOff::default());
    let subscribe = store.subscribe().durable("mailer").lease(SHORT);
    let mut first = begin(subscribe.checkpoints_in(cut_off.clone())).await;
    let seen = take(&mut first, 2).await;
    first.ack(seen[0].position).await.unwrap();
    cut_off.fault().set(true);
    let mut second = begin(store.subscribe().durable("mailer")).await;
    take(&mut second, 1).await;
    second.ack(seen[1].position).await.unwrap();
    soon(second.close()).await.unwrap();
    cut_off.fault().set(false);
    let ended = reason(&mut first).await;
    assert!(matches!(ended, SubscriptionError::Fenced { .. }), "{ended}");
    // It keeps nothing that it should not have.
    let third = begin(store.subscribe().durable("mailer")).await;
    assert_eq!(third.position(), seen[1].position);
}

/// Four instances of one program that stop at any time: together they deal with each event at least once, and each time
/// one begins where the last has acknowledged.
pub async fn owners_in_turn_pass_nothing_over<S: UnitOfWorkStore + Clone>(store: S) {
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 0..EVENTS {
                store_numbers(&store, [number]).await;
            }
        })
    };
    let instances = (0..4_u64).map(|instance| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut done = Vec::new();
            while !is_done(&store).await {
                // Given up at each turn's end, and not lost before.
                let lease = Duration::from_secs(3);
                let subscribe = store.subscribe().durable("mailer").page_size(3).lease(lease);
                let mut subscription = begin(subscribe).await;
                for left in (0..5 + instance).rev() {
                    let next =
                        tokio::time::timeout(Duration::from_millis(100), subscription.next());
                    let Ok(event) = next.await else { break };
                    let event = event.unwrap().unwrap();
                    let position = event.position;
                    done.push(event);
                    // The last of a turn is dealt with, but not acknowledged.
                    if left > 0 {
                        subscription.ack(position).await.unwrap();
                    }
                }
            }
            done
        })
    });
    let instances: Vec<_> = instances.collect();
    soon(writer).await.unwrap();
    let mut done = Vec::new();
    for instance in instances {
        let own = soon(instance).await.unwrap();
        assert!(own.is_sorted_by_key(|event| event.position), "an instance went back");
        done.extend(numbers(&own));
    }
    done.sort_unstable();
    let twice = done.len();
    done.dedup();
    assert_eq!(done, (0..EVENTS).collect::<Vec<_>>());
    assert!(twice > done.len(), "what was not acknowledged is delivered again");
}

/// Whether all events are stored and acknowledged.
async fn is_done<S: UnitOfWorkStore>(store: &S) -> bool {
    let head = store.stream_head(&stream("a")).await.unwrap();
    let kept = store.checkpoint(&checkpoint_id("mailer")).await.unwrap();
    head.version == EVENTS && kept == Some(head.position)
}
