//! Aggregates that stay in memory between commands: faster, and never otherwise than loaded ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use annals::prelude::*;
use annals::{Append, Page, ReadStream, WriteError};
use annals_testing::conformance::faulty::{Fault, Faulty};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::bank::{Account, AccountError, AccountEvent, Deposit, OpenAccount, Withdraw};

/// Counts loads and appends; holds appends back while it is shut, and then fails those that it is told to.
#[derive(Clone)]
struct Gate {
    loads: Arc<AtomicUsize>,
    appends: Arc<AtomicUsize>,
    passes: Arc<Semaphore>,
    failures: Arc<AtomicUsize>,
}

impl Gate {
    fn open() -> Self {
        Self::with_passes(Semaphore::MAX_PERMITS)
    }

    fn with_passes(passes: usize) -> Self {
        Self {
            loads: Arc::default(),
            appends: Arc::default(),
            passes: Arc::new(Semaphore::new(passes)),
            failures: Arc::default(),
        }
    }

    fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl<S: EventStore> Fault<S> for Gate {
    async fn append(&self, store: &S, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        self.passes.acquire().await.unwrap().forget();
        let fails = self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match fails {
            Ok(_) => Err(StoreError::unavailable("the store is away").into()),
            Err(_) => store.append(appends).await,
        }
    }

    async fn stream_page(&self, store: &S, read: &ReadStream) -> Result<Page, StoreError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        store.stream_page(read).await
    }
}

fn bus_on(store: &MemoryStore, gate: &Gate, aggregates: usize) -> CommandBus {
    let store = Faulty::new(store.clone(), gate.clone());
    CommandBus::builder(store).cache(aggregates).build().unwrap()
}

fn open(account: &str) -> OpenAccount {
    OpenAccount { account: account.into(), owner: "Ada".into() }
}

fn deposit(account: &str, amount: u64) -> Deposit {
    Deposit { account: account.into(), amount }
}

fn withdraw(account: &str, amount: u64) -> Withdraw {
    Withdraw { account: account.into(), amount }
}

async fn balance(store: &MemoryStore, account: &str) -> u64 {
    let accounts = Repository::<Account>::new(store.clone());
    accounts.load(account).await.unwrap().unwrap().state.balance
}

#[tokio::test]
async fn a_warm_aggregate_is_not_loaded() {
    let (store, gate) = (MemoryStore::new(), Gate::open());
    let bus = bus_on(&store, &gate, 10);
    bus.dispatch(open("ada")).await.unwrap();
    let loads = gate.loads();
    for amount in 1..=5 {
        bus.dispatch(deposit("ada", amount)).await.unwrap();
    }
    assert!(matches!(
        bus.dispatch(withdraw("ada", 99)).await,
        Err(DispatchError::Rejected(AccountError::InsufficientFunds { .. }))
    ));
    assert_eq!(gate.loads(), loads, "loads of a warm aggregate");
    assert_eq!(balance(&store, "ada").await, 15);
}

#[tokio::test]
async fn no_more_aggregates_are_kept_than_asked_for() {
    let (store, gate) = (MemoryStore::new(), Gate::open());
    let bus = bus_on(&store, &gate, 1);
    for account in ["ada", "ben", "ada", "ben"] {
        let _ = bus.dispatch(open(account)).await;
        let loads = gate.loads();
        bus.dispatch(deposit(account, 1)).await.unwrap();
        assert_eq!(gate.loads(), loads, "the one used last is kept");
    }
    assert_eq!(gate.loads(), 4, "one load for each change of the account");
}

#[tokio::test]
async fn what_another_program_stored_is_found_out_at_the_append() {
    let (store, gate) = (MemoryStore::new(), Gate::open());
    let bus = bus_on(&store, &gate, 10);
    let other = CommandBus::new(store.clone());
    bus.dispatch(open("ada")).await.unwrap();
    bus.dispatch(deposit("ada", 10)).await.unwrap();
    other.dispatch(withdraw("ada", 10)).await.unwrap();
    let refused = bus.dispatch(withdraw("ada", 10)).await.unwrap_err();
    assert!(matches!(refused, DispatchError::Rejected(AccountError::InsufficientFunds { .. })));
    assert_eq!(balance(&store, "ada").await, 0);
}

/// A refusal is appended nowhere, so that no version is checked: the head is asked.
#[tokio::test]
async fn a_refusal_does_not_rest_on_what_another_program_has_changed() {
    let (store, gate) = (MemoryStore::new(), Gate::open());
    let bus = bus_on(&store, &gate, 10);
    let other = CommandBus::new(store.clone());
    bus.dispatch(open("ada")).await.unwrap();
    other.dispatch(deposit("ada", 10)).await.unwrap();
    bus.dispatch(withdraw("ada", 10)).await.unwrap();
    assert_eq!(balance(&store, "ada").await, 0);
}

/// As many events of another program as of a command that fails: the version alone does not tell the two apart.
#[tokio::test]
async fn nothing_is_decided_on_events_that_never_came() {
    let (store, gate) = (MemoryStore::new(), Gate::with_passes(2));
    let bus = bus_on(&store, &gate, 10);
    bus.dispatch(open("ada")).await.unwrap();
    bus.dispatch(deposit("ada", 10)).await.unwrap();
    let sent: Vec<_> = [deposit("ada", 50)]
        .into_iter()
        .map(|command| {
            let bus = bus.clone();
            tokio::spawn(async move { bus.dispatch(command).expect_version(2).await.is_ok() })
        })
        .collect();
    while gate.appends.load(Ordering::SeqCst) < 3 {
        tokio::task::yield_now().await;
    }
    let paid = tokio::spawn({
        let bus = bus.clone();
        async move { bus.dispatch(withdraw("ada", 60)).await.is_ok() }
    });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    CommandBus::new(store.clone()).dispatch(withdraw("ada", 10)).await.unwrap();
    gate.passes.add_permits(10);
    for sent in sent {
        assert!(!sent.await.unwrap(), "it expected a version that was taken");
    }
    assert!(!paid.await.unwrap(), "60 were never there");
    assert_eq!(balance(&store, "ada").await, 0);
}

/// The first receipt under a key is of events that another decided, whatever this try decided.
#[tokio::test]
async fn a_key_that_another_program_used_leaves_its_events_in_the_cache() {
    let (store, gate) = (MemoryStore::new(), Gate::with_passes(1));
    let bus = bus_on(&store, &gate, 10);
    bus.dispatch(open("ada")).await.unwrap();
    let late = tokio::spawn({
        let bus = bus.clone();
        async move { bus.dispatch(deposit("ada", 5)).idempotency_key("k").await.unwrap() }
    });
    while gate.appends.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    let other = CommandBus::new(store.clone());
    let first = other.dispatch(deposit("ada", 5)).idempotency_key("k").await.unwrap();
    gate.passes.add_permits(10);
    assert_eq!(late.await.unwrap(), first);
    bus.dispatch(withdraw("ada", 6)).await.unwrap_err();
    assert_eq!(balance(&store, "ada").await, 5);
}

#[tokio::test]
async fn commands_that_meet_take_turns_and_none_conflicts() {
    let (store, gate) = (MemoryStore::new(), Gate::open());
    let bus = bus_on(&store, &gate, 10);
    bus.dispatch(open("ada")).await.unwrap();
    let deposits: Vec<_> = (0..50)
        .map(|_| {
            let bus = bus.clone();
            tokio::spawn(async move { bus.dispatch(deposit("ada", 1)).await.unwrap() })
        })
        .collect();
    for deposit in deposits {
        deposit.await.unwrap();
    }
    assert_eq!(balance(&store, "ada").await, 50);
    assert_eq!(gate.appends.load(Ordering::SeqCst), 51, "an append more is a conflict");
}

/// A refusal that rests on events which never came is no refusal.
#[tokio::test]
async fn what_was_decided_on_events_that_never_came_is_decided_again() {
    let (store, gate) = (MemoryStore::new(), Gate::with_passes(2));
    let bus = bus_on(&store, &gate, 10);
    bus.dispatch(open("ada")).await.unwrap();
    bus.dispatch(deposit("ada", 10)).await.unwrap();
    gate.failures.store(1, Ordering::SeqCst);
    let first = tokio::spawn({
        let bus = bus.clone();
        async move { bus.dispatch(withdraw("ada", 10)).await }
    });
    while gate.appends.load(Ordering::SeqCst) < 3 {
        tokio::task::yield_now().await;
    }
    let second = tokio::spawn({
        let bus = bus.clone();
        async move { bus.dispatch(withdraw("ada", 10)).await }
    });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!second.is_finished(), "refused on what is not stored yet");
    gate.passes.add_permits(10);
    assert!(matches!(first.await.unwrap(), Err(DispatchError::Store(_))));
    second.await.unwrap().unwrap();
    assert_eq!(balance(&store, "ada").await, 0);
}

#[tokio::test]
async fn a_command_sent_again_under_its_key_leaves_nothing_behind() {
    let (store, gate) = (MemoryStore::new(), Gate::open());
    let bus = bus_on(&store, &gate, 10);
    bus.dispatch(open("ada")).await.unwrap();
    let first = bus.dispatch(deposit("ada", 5)).idempotency_key("k").await.unwrap();
    let again = bus.dispatch(deposit("ada", 5)).idempotency_key("k").await.unwrap();
    assert_eq!(first, again);
    let refused = bus.dispatch(withdraw("ada", 6)).await.unwrap_err();
    assert!(matches!(refused, DispatchError::Rejected(AccountError::InsufficientFunds { .. })));
    assert_eq!(balance(&store, "ada").await, 5);
}

#[derive(Debug, Clone, Serialize, Deserialize, AggregateId)]
struct BeaconId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct BeaconLit;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct LightBeacon {
    #[command(id)]
    beacon: BeaconId,
    since: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(id = BeaconId, events(BeaconLit))]
struct Beacon {
    since: Timestamp,
    at: Position,
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("lit since {0}")]
struct AlreadyLit(Timestamp);

#[handlers]
impl Beacon {
    #[handle(upsert)]
    fn light(beacon: Option<&Self>, command: LightBeacon) -> Result<BeaconLit, AlreadyLit> {
        match beacon {
            Some(beacon) if command.since != Some(beacon.since) => Err(AlreadyLit(beacon.since)),
            _ => Ok(BeaconLit),
        }
    }

    #[apply(upsert)]
    fn lit(_: Option<Self>, _: &BeaconLit, cx: &EventContext<Self>) -> Self {
        Self { since: cx.recorded_at(), at: cx.position() }
    }
}

/// The clock of the store is not the bus's.
#[tokio::test]
async fn what_only_the_store_knows_is_never_guessed() {
    let store = MemoryStore::builder().clock(ManualClock::at(Timestamp::from_micros(7))).build();
    let bus = CommandBus::builder(store.clone()).cache(10).build().unwrap();
    let light = |since| LightBeacon { beacon: BeaconId("a".into()), since };
    bus.dispatch(light(None)).await.unwrap();
    let refused = bus.dispatch(light(None)).await.unwrap_err();
    assert!(
        matches!(refused, DispatchError::Rejected(AlreadyLit(since)) if since.as_micros() == 7)
    );
    bus.dispatch(light(Some(Timestamp::from_micros(7)))).await.unwrap();
}

/// Lets others go first at random, so that programs meet in the store in all ways.
struct Jitter;

#[async_trait]
impl<S: EventStore> Fault<S> for Jitter {
    async fn append(&self, store: &S, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError> {
        for _ in 0..fastrand::u32(0..4) {
            tokio::task::yield_now().await;
        }
        let receipts = store.append(appends).await?;
        tokio::task::yield_now().await;
        match fastrand::u32(0..20) {
            0 => Err(StoreError::unavailable("the answer was lost").into()),
            _ => Ok(receipts),
        }
    }
}

/// Several programs keep the same accounts, and some answers are lost: what is paid out was there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn programs_that_keep_the_same_aggregates_never_overdraw() {
    const ACCOUNTS: [&str; 3] = ["ada", "ben", "cyd"];
    let store = MemoryStore::new();
    let plain = CommandBus::new(store.clone());
    for account in ACCOUNTS {
        plain.dispatch(open(account)).await.unwrap();
    }
    let programs: Vec<_> = (0..4)
        .map(|_| {
            let bus = CommandBus::builder(Faulty::new(store.clone(), Jitter));
            bus.cache(2).retry(RetryPolicy::times(100)).build().unwrap()
        })
        .collect();
    let tellers = (0..16).map(|teller: usize| {
        let bus = programs[teller % programs.len()].clone();
        tokio::spawn(async move {
            for _ in 0..100 {
                let account = ACCOUNTS[fastrand::usize(0..ACCOUNTS.len())];
                let amount = fastrand::u64(1..10);
                if fastrand::bool() {
                    let _ = bus.dispatch(deposit(account, amount)).await;
                } else {
                    let _ = bus.dispatch(withdraw(account, amount)).await;
                }
            }
        })
    });
    for teller in tellers.collect::<Vec<_>>() {
        teller.await.unwrap();
    }
    let accounts = Repository::<Account>::new(store.clone());
    for account in ACCOUNTS {
        let mut there = 0_u64;
        let history: Vec<_> = accounts.history(account).try_collect().await.unwrap();
        assert!(history.len() > 100, "{account} has {} events", history.len());
        for (recorded, event) in history {
            there = match event {
                AccountEvent::MoneyDeposited(event) => there + event.amount,
                AccountEvent::Withdrawn(event) => {
                    there.checked_sub(event.amount).unwrap_or_else(|| {
                        panic!("{account} is overdrawn at {}", recorded.stream_version)
                    })
                }
                _ => there,
            };
        }
        assert_eq!(balance(&store, account).await, there);
    }
}
