//! The state as it was at a version or at an instant.

use std::time::Duration;

use annals::prelude::*;
use futures::TryStreamExt;

use crate::bank::{Account, AccountEvent, Deposit, OpenAccount};

/// An account with a deposit of 1, 2, 4, … each hour after noon.
async fn hourly() -> (MemoryStore, Timestamp) {
    let noon: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let clock = ManualClock::at(noon);
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let bus = CommandBus::new(store.clone());
    bus.dispatch(OpenAccount { account: "ada".into(), owner: "Ada".into() }).await.unwrap();
    for hour in 0..4 {
        clock.advance(Duration::from_hours(1));
        bus.dispatch(Deposit { account: "ada".into(), amount: 1 << hour }).await.unwrap();
    }
    (store, noon)
}

#[tokio::test]
async fn at_a_version() {
    let (store, _) = hourly().await;
    let accounts = Repository::<Account>::new(store);
    for (version, balance) in [(1, 0), (2, 1), (3, 3), (4, 7), (5, 15)] {
        let account = accounts.load("ada").at_version(version).await.unwrap().unwrap();
        assert_eq!((account.state.balance, account.stream_version), (balance, version));
    }
    assert!(accounts.load("ada").at_version(0).await.unwrap().is_none());
    let missing = accounts.load("ada").at_version(6).await.unwrap_err();
    assert_eq!(
        missing.to_string(),
        "stream `account-ada` has not reached version 6: it is at version 5"
    );
}

#[tokio::test]
async fn as_of_an_instant() {
    let (store, noon) = hourly().await;
    let accounts = Repository::<Account>::new(store);
    let hour = Duration::from_hours(1);
    let tick = Duration::from_micros(1);
    assert!(accounts.load("ada").as_of(noon - tick).await.unwrap().is_none());
    for (instant, balance) in
        [(noon, 0), (noon + hour - tick, 0), (noon + hour, 1), (noon + hour * 99, 15)]
    {
        let account = accounts.load("ada").as_of(instant).await.unwrap().unwrap();
        assert_eq!(account.state.balance, balance, "{instant}");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_none() {
    let accounts = Repository::<Account>::new(MemoryStore::new());
    assert!(accounts.load("nobody").await.unwrap().is_none());
    assert_eq!(accounts.stream_id("nobody").unwrap().as_str(), "account-nobody");
}

#[tokio::test]
async fn the_history_is_read_decoded() {
    let (store, noon) = hourly().await;
    let accounts = Repository::<Account>::new(store.clone());
    let history: Vec<(RecordedEvent, AccountEvent)> =
        accounts.history("ada").try_collect().await.unwrap();
    assert_eq!(history.len(), 5);
    assert_eq!(history[1].0.recorded_at, noon + Duration::from_hours(1));
    assert!(
        matches!(&history[1].1, AccountEvent::MoneyDeposited(deposited) if deposited.amount == 1)
    );
    let decoded: Option<AccountEvent> = store.decode(&history[0].0).unwrap();
    assert!(matches!(decoded, Some(AccountEvent::AccountOpened(_))));
}

#[tokio::test]
async fn an_id_that_no_stream_can_have_is_an_error() {
    let accounts = Repository::<Account>::new(MemoryStore::new());
    let error = accounts.load("").await.unwrap_err();
    assert_eq!(error.to_string(), "`` is not an id: the id is empty");
    assert!(accounts.history("a\0b").try_next().await.is_err());
    assert!(accounts.snapshot(&"x".repeat(1025)).await.is_err());
}
