//! Sent again under one key, a command is not done again.

use std::collections::HashSet;
use std::time::Duration;

use annals::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::bank::{Account, AccountError, CloseAccount, Deposit, OpenAccount, Withdraw};

fn open() -> OpenAccount {
    OpenAccount { account: "ada".into(), owner: "Ada".into() }
}

fn deposit(amount: u64) -> Deposit {
    Deposit { account: "ada".into(), amount }
}

#[tokio::test]
async fn another_content_or_command_under_a_used_key_is_refused() {
    let bus = CommandBus::new(MemoryStore::new());
    bus.dispatch(open()).await.unwrap();
    bus.dispatch(deposit(5)).idempotency_key("k").await.unwrap();
    let other = bus.dispatch(deposit(6)).idempotency_key("k").await.unwrap_err();
    assert_eq!(
        other.to_string(),
        "idempotency key `k` was used on `account-ada` by command `Deposit` with another content"
    );
    let other = bus
        .dispatch(Withdraw { account: "ada".into(), amount: 5 })
        .idempotency_key("k")
        .await
        .unwrap_err();
    assert!(matches!(other, DispatchError::KeyReused { .. }));
}

#[tokio::test]
async fn the_way_a_command_came_does_not_matter() {
    let bus = CommandBus::new(MemoryStore::new());
    let first = bus.dispatch(open()).idempotency_key("k").await.unwrap();
    let json = json!({ "owner": "Ada", "account": "ada" });
    let again = bus.dispatch_json("OpenAccount", json).idempotency_key("k").await.unwrap();
    assert_eq!(first, again);
}

#[tokio::test]
async fn a_key_belongs_to_a_stream() {
    let bus = CommandBus::new(MemoryStore::new());
    let ada = bus.dispatch(open()).idempotency_key("k").await.unwrap();
    let bob = OpenAccount { account: "bob".into(), owner: "Bob".into() };
    let bob = bus.dispatch(bob).idempotency_key("k").await.unwrap();
    assert_ne!(ada.stream_id, bob.stream_id);
}

#[tokio::test]
async fn the_first_receipt_is_given_even_if_the_command_would_be_refused_now() {
    let bus = CommandBus::new(MemoryStore::new());
    bus.dispatch(open()).await.unwrap();
    let first = bus.dispatch(deposit(5)).idempotency_key("k").await.unwrap();
    bus.dispatch(CloseAccount { account: "ada".into() }).await.unwrap();
    let again = bus.dispatch(deposit(5)).idempotency_key("k").await.unwrap();
    assert_eq!(first, again);
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let bus = CommandBus::new(MemoryStore::new());
    bus.dispatch(open()).await.unwrap();
    let withdraw = Withdraw { account: "ada".into(), amount: 5 };
    let refused = bus.dispatch(withdraw.clone()).idempotency_key("k").await.unwrap_err();
    assert!(matches!(
        refused,
        DispatchError::Rejected(AccountError::InsufficientFunds { balance: 0, requested: 5 })
    ));
    bus.dispatch(deposit(5)).await.unwrap();
    let receipt = bus.dispatch(withdraw).idempotency_key("k").await.unwrap();
    assert_eq!(receipt.stream_version, 3);
}

#[tokio::test]
async fn callers_keys_expire() {
    let noon: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let clock = ManualClock::at(noon);
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let bus = CommandBus::new(store.clone());
    bus.dispatch(open()).await.unwrap();
    bus.dispatch(deposit(5)).idempotency_key("k").await.unwrap();
    clock.advance(Duration::from_hours(24) - Duration::from_micros(1));
    bus.dispatch(deposit(5)).idempotency_key("k").await.unwrap();
    clock.advance(Duration::from_micros(1));
    bus.dispatch(deposit(5)).idempotency_key("k").await.unwrap();
    let account = Repository::<Account>::new(store.clone()).load("ada").await.unwrap().unwrap();
    assert_eq!(account.state.balance, 10, "done once in a day, and once after it");
    clock.advance(Duration::from_hours(25));
    assert_eq!(store.purge_keys().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_tasks_with_one_key_have_one_effect() {
    let store = MemoryStore::new();
    let bus = CommandBus::new(store.clone());
    bus.dispatch(open()).await.unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let bus = bus.clone();
            tokio::spawn(
                async move { bus.dispatch(deposit(5)).idempotency_key("k").await.unwrap() },
            )
        })
        .collect();
    let mut receipts = Vec::new();
    for task in tasks {
        receipts.push(task.await.unwrap());
    }
    assert!(receipts.iter().all(|receipt| *receipt == receipts[0]));
    let account = Repository::<Account>::new(store).load("ada").await.unwrap().unwrap();
    assert_eq!(account.state.balance, 5);
}

#[tokio::test]
async fn a_key_that_no_store_could_keep_is_refused_before_anything_is_written() {
    let store = MemoryStore::new();
    let bus = CommandBus::new(store.clone());
    for (key, reason) in [
        ("", "the idempotency key is empty"),
        ("a\0b", "the idempotency key contains a null character"),
        (&"k".repeat(1025), "the idempotency key is 1025 bytes long, of at most 1024"),
    ] {
        let refused = bus.dispatch(open()).idempotency_key(key).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("command `OpenAccount`: {reason}"));
        assert!(refused.is_invalid());
    }
    assert_eq!(store.head().await.unwrap(), Position::START);
}

#[derive(Debug, Clone, Serialize, Deserialize, AggregateId)]
struct BasketId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct BasketFilled {
    fruit: usize,
}

/// Its set is written in another order each time.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct FillBasket {
    #[command(id)]
    basket: BasketId,
    fruit: HashSet<String>,
}

#[derive(Debug, PartialEq, Aggregate)]
#[aggregate(id = BasketId, events(BasketFilled))]
struct Basket;

#[handlers]
impl Basket {
    #[handle(upsert)]
    fn fill(_: Option<&Self>, command: FillBasket) -> BasketFilled {
        BasketFilled { fruit: command.fruit.len() }
    }

    #[apply(upsert)]
    fn filled(_: Option<Self>, _: &BasketFilled) -> Self {
        Self
    }
}

#[tokio::test]
async fn a_command_by_name_is_told_by_the_json_as_it_came() {
    let bus = CommandBus::new(MemoryStore::new());
    let fruit: Vec<String> = (0..20).map(|number| format!("fruit {number}")).collect();
    let json = json!({ "basket": "b", "fruit": fruit });
    let fill = || bus.dispatch_json("FillBasket", json.clone()).idempotency_key("k");
    let first = fill().await.unwrap();
    for _ in 0..8 {
        assert_eq!(fill().await.unwrap(), first);
    }
}
