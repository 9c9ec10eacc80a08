//! A command is decided again after a conflict, as often as the policy says, and after nothing else.

use std::sync::atomic::Ordering;
use std::time::Duration;

use annals::prelude::*;

use crate::bank::{Account, Deposit, OpenAccount};
use crate::faulty_store::{Fault, FaultyStore};

fn open() -> OpenAccount {
    OpenAccount { account: "ada".into(), owner: "Ada".into() }
}

fn patient(store: &FaultyStore, times: u32) -> CommandBus {
    let policy = RetryPolicy::times(times).with_pause(Duration::ZERO);
    CommandBus::builder(store.clone()).retry(policy).build().unwrap()
}

#[tokio::test]
async fn a_conflict_is_retried_ten_times_by_default() {
    assert!(RetryPolicy::default().pause_before(10).is_some());
    assert_eq!(RetryPolicy::default().pause_before(11), None);
    let store = FaultyStore::with([Fault::Conflict; 10]);
    CommandBus::new(store.clone()).dispatch(open()).await.unwrap();
    assert_eq!(store.appends.load(Ordering::SeqCst), 11);
    let store = FaultyStore::with([Fault::Conflict; 11]);
    CommandBus::new(store.clone()).dispatch(open()).await.unwrap_err();
}

#[tokio::test]
async fn when_the_retries_are_used_up_the_conflict_is_told() {
    let store = FaultyStore::with([Fault::Conflict; 4]);
    let conflict = patient(&store, 3).dispatch(open()).await.unwrap_err();
    assert!(matches!(&conflict, DispatchError::Conflict(c) if c.actual == 1_000), "{conflict}");
    assert_eq!(store.appends.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn what_the_caller_expects_is_not_retried() {
    let store = FaultyStore::default();
    let bus = patient(&store, 10);
    bus.dispatch(open()).expect_version(0).await.unwrap();
    let deposit = Deposit { account: "ada".into(), amount: 5 };
    let conflict = bus.dispatch(deposit.clone()).expect_version(7).await.unwrap_err();
    assert_eq!(
        conflict.to_string(),
        "append to stream `account-ada`: expected version 7, found version 1"
    );
    assert_eq!(store.appends.load(Ordering::SeqCst), 1, "refused before anything was appended");
    bus.dispatch(deposit).expect_version(1).await.unwrap();
}

#[tokio::test]
async fn an_outage_is_told_and_not_retried() {
    let store = FaultyStore::with([Fault::Unavailable]);
    let outage = patient(&store, 10).dispatch(open()).await.unwrap_err();
    assert!(matches!(&outage, DispatchError::Store(error) if error.is_unavailable()));
    assert_eq!(store.appends.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_unknown_outcome_is_found_out_by_the_ids_of_the_events() {
    let store = FaultyStore::with([Fault::UnknownOutcome; 2]);
    let receipt = patient(&store, 0).dispatch(open()).await.unwrap();
    assert_eq!((receipt.stream_version, receipt.events), (1, 1), "stored once");
    assert_eq!(store.appends.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn what_cannot_be_found_out_is_neither_success_nor_conflict_and_the_key_tells_later() {
    let store = FaultyStore::with([Fault::UnknownOutcome; 4]);
    let bus = patient(&store, 10);
    let unknown = bus.dispatch(open()).idempotency_key("k").await.unwrap_err();
    assert!(matches!(unknown, DispatchError::UnknownOutcome { .. }), "{unknown}");
    let receipt = bus.dispatch(open()).idempotency_key("k").await.unwrap();
    assert_eq!(receipt.stream_version, 1, "it had been done, and is not done again");
}

/// The answer was lost, and then the store is away: what it may hold is neither there nor not there.
#[tokio::test]
async fn an_outage_after_an_unknown_outcome_tells_nothing_of_it() {
    let lost = [Fault::UnknownOutcome, Fault::Unavailable, Fault::Unavailable, Fault::Unavailable];
    let unknown = patient(&FaultyStore::with(lost), 10).dispatch(open()).await.unwrap_err();
    assert!(matches!(unknown, DispatchError::UnknownOutcome { .. }), "{unknown}");
    let store = FaultyStore::with([Fault::UnknownOutcome, Fault::Unavailable]);
    let receipt = patient(&store, 0).dispatch(open()).await.unwrap();
    assert_eq!((receipt.stream_version, receipt.events), (1, 1), "stored once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_on_one_stream_all_get_through() {
    let store = MemoryStore::new();
    let bus = CommandBus::builder(store.clone())
        .retry(RetryPolicy::times(1_000).with_longest_pause(Duration::from_millis(2)))
        .build()
        .unwrap();
    bus.dispatch(open()).await.unwrap();
    let writers: Vec<_> = (0..16)
        .map(|_| {
            let bus = bus.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    let deposit = Deposit { account: "ada".into(), amount: 1 };
                    bus.dispatch(deposit).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let account = Repository::<Account>::new(store).load("ada").await.unwrap().unwrap();
    assert_eq!((account.state.balance, account.stream_version), (320, 321));
}
