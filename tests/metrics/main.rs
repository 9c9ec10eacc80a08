//! What is measured, by name and label; each test has a recorder and a thread of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use annals::prelude::*;
use annals::{Append, Expected, MemoryStore, NewEvent, Payload, metrics as names};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use annals_testing::conformance::faulty::{Fault, Faulty};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use uuid::Uuid;

#[path = "../contract/bank.rs"]
mod bank;

use bank::{Account, Deposit, OpenAccount, Withdraw};

/// What was measured, by name and labels: `name{label=value}`.
struct Measured(BTreeMap<String, DebugValue>);

/// Runs something on one thread, and gives back what it measured.
fn measured<F: Future<Output = ()>>(run: F) -> Measured {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(run));
    let values = snapshotter.snapshot().into_vec().into_iter().map(|(key, _, _, value)| {
        let key = key.key();
        let mut labels: Vec<_> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        labels.sort();
        (format!("{}{{{}}}", key.name(), labels.join(",")), value)
    });
    Measured(values.collect())
}

impl Measured {
    fn value(&self, key: &str) -> &DebugValue {
        self.0.get(key).unwrap_or_else(|| panic!("no `{key}` in {:#?}", self.0.keys()))
    }

    fn counter(&self, key: &str) -> u64 {
        match self.value(key) {
            DebugValue::Counter(count) => *count,
            other => panic!("`{key}` is no counter: {other:?}"),
        }
    }

    fn gauge(&self, key: &str) -> f64 {
        match self.value(key) {
            DebugValue::Gauge(value) => value.into_inner(),
            other => panic!("`{key}` is no gauge: {other:?}"),
        }
    }

    fn histogram(&self, key: &str) -> Vec<f64> {
        match self.value(key) {
            DebugValue::Histogram(values) => {
                values.iter().map(|value| value.into_inner()).collect()
            }
            other => panic!("`{key}` is no histogram: {other:?}"),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.keys().any(|key| key.split_once('{').is_some_and(|(known, _)| known == name))
    }
}

async fn open(bus: &CommandBus, account: &str) {
    bus.dispatch(OpenAccount { account: account.into(), owner: "Ada".into() }).await.unwrap();
}

async fn deposit(bus: &CommandBus, account: &str) {
    bus.dispatch(Deposit { account: account.into(), amount: 5 }).await.unwrap();
}

#[test]
fn commands_are_counted_by_how_they_ended() {
    let measured = measured(async {
        let bus = CommandBus::new(MemoryStore::new());
        open(&bus, "ada").await;
        open(&bus, "bob").await;
        let again = OpenAccount { account: "ada".into(), owner: "Ada".into() };
        bus.dispatch(again).await.unwrap_err();
        deposit(&bus, "ada").await;
        bus.dispatch(Deposit { account: "ada".into(), amount: 0 }).await.unwrap_err();
        bus.dispatch(Withdraw { account: "nobody".into(), amount: 1 }).await.unwrap_err();
        bus.dispatch(Deposit { account: "ada".into(), amount: 1 })
            .expect_version(1)
            .await
            .unwrap_err();
        bus.dispatch(Deposit { account: "".into(), amount: 1 }).await.unwrap_err();
        bus.dispatch_json("Nobody's", serde_json::json!({})).await.unwrap_err();
    });
    for (command, outcome, count) in [
        ("OpenAccount", "done", 2),
        ("OpenAccount", "already_exists", 1),
        ("Deposit", "done", 1),
        ("Deposit", "rejected", 1),
        ("Deposit", "conflict", 1),
        ("Deposit", "invalid", 1),
        ("Withdraw", "not_found", 1),
    ] {
        let key = format!(
            "annals_commands_total{{aggregate=account,command={command},outcome={outcome}}}"
        );
        assert_eq!(measured.counter(&key), count, "{key}");
    }
    let appends = measured.histogram("annals_append_seconds{aggregate=account}");
    assert_eq!(appends.len(), 3);
    assert!(appends.iter().all(|seconds| (0.0..1.0).contains(seconds)), "{appends:?}");
    let told: Vec<_> =
        measured.0.keys().filter(|key| key.contains("ada") || key.contains("Nobody")).collect();
    assert!(told.is_empty(), "labels hold what callers say: {told:?}");
}

/// Lets another writer be faster, once.
struct Outrun(std::sync::atomic::AtomicBool);

#[async_trait]
impl<S: Sync> Fault<S> for Outrun {
    async fn append(
        &self,
        store: &S,
        appends: Vec<Append>,
    ) -> Result<Vec<annals::Receipt>, annals::WriteError>
    where
        S: EventStore,
    {
        if appends[0].expected == Expected::Exact(1)
            && !self.0.swap(true, std::sync::atomic::Ordering::SeqCst)
        {
            let bus = Deposit { account: "ada".into(), amount: 1 };
            let _ = bus;
            let event =
                NewEvent::new(Uuid::now_v7(), "Deposited", 1, Payload::new(r#"{"amount":1}"#));
            let other = Append::new(appends[0].stream_id.clone(), Expected::Any, vec![event]);
            store.append(vec![other]).await?;
        }
        store.append(appends).await
    }
}

#[test]
fn conflicts_and_retries_are_counted() {
    let measured = measured(async {
        let bus = CommandBus::new(Faulty::new(MemoryStore::new(), Outrun(false.into())));
        open(&bus, "ada").await;
        deposit(&bus, "ada").await;
        deposit(&bus, "ada").await;
    });
    let labels = "{aggregate=account,command=Deposit}";
    assert_eq!(measured.counter(&format!("annals_command_conflicts_total{labels}")), 1);
    assert_eq!(measured.counter(&format!("annals_command_retries_total{labels}")), 1);
}

#[test]
fn loads_tell_how_much_they_folded() {
    let measured = measured(async {
        let store = MemoryStore::new();
        let bus = CommandBus::new(store.clone());
        open(&bus, "ada").await;
        for _ in 0..4 {
            deposit(&bus, "ada").await;
        }
        Repository::<Account>::new(store).load("ada").await.unwrap().unwrap();
    });
    let events = measured.histogram("annals_replay_events{aggregate=account}");
    assert_eq!(events, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(measured.histogram("annals_replay_seconds{aggregate=account}").len(), 6);
}
