//! What is measured, by name and label; each test has a recorder and a thread of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use annals::prelude::*;
use annals::projection::{ProjectionState, Tables};
use annals::{Append, Expected, MemoryStore, NewEvent, Payload, metrics as names};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use annals_testing::conformance::faulty::{Fault, Faulty};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use uuid::Uuid;

#[path = "../contract/bank.rs"]
mod bank;

use bank::{Account, Deposit, OpenAccount, Withdraw};
use futures::TryStreamExt;

/// What was measured, by name and labels: `name{label=value}`.
struct Measured(BTreeMap<String, DebugValue>);

/// How many accounts an owner has; one owner's events fail.
#[derive(Debug, Clone, PartialEq, ReadModel)]
#[read_model(table = "measured_owners")]
struct MeasuredOwner {
    #[read_model(key)]
    owner: String,
    accounts: i64,
}

#[projection]
impl MeasuredOwner {
    #[on(upsert, key = owner)]
    fn opened(row: Option<Self>, event: &bank::AccountOpened) -> Result<Self, &'static str> {
        if event.owner == "Nobody" {
            return Err("nobody is nobody");
        }
        let accounts = row.map_or(0, |row| row.accounts) + 1;
        Ok(Self { owner: event.owner.clone(), accounts })
    }
}

#[test]
fn a_projection_tells_what_it_has_passed_and_what_failed() {
    let measured = measured(async {
        let store = MemoryStore::new();
        let bus = CommandBus::new(store.clone());
        let engine = ProjectionEngine::builder(store).register::<MeasuredOwner>();
        let engine = engine.retry(RetryPolicy::never()).start().await.unwrap();
        let open = |account: &str, owner: &str| OpenAccount {
            account: account.into(),
            owner: owner.into(),
        };
        bus.dispatch(open("a", "Nobody")).await.unwrap();
        let last = bus.dispatch(open("b", "Ada")).await.unwrap();
        engine.wait_for::<MeasuredOwner>(&last, Duration::from_secs(10)).await.unwrap();
        engine.shutdown().await.unwrap();
    });
    let of = |name: &str| format!("{name}{{projection=measured_owners}}");
    assert_eq!(measured.counter(&of("annals_projection_events_total")), 2);
    assert_eq!(measured.counter(&of("annals_projection_failures_total")), 1);
    assert!(!measured.histogram(&of("annals_projection_delay_seconds")).is_empty());
    for name in [
        "annals_projection_lag_positions",
        "annals_projection_lag_seconds",
        "annals_projection_level",
        "annals_projection_parked",
    ] {
        assert!(measured.gauge(&of(name)) >= 0.0, "{name}");
    }
}

/// Whoever is the owner after it measures: what it has measured last would be told for ever.
#[test]
fn who_has_lost_a_projection_measures_it_no_more() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let parked = || {
        let values = snapshotter.snapshot().into_vec();
        let found = values.into_iter().find(|(key, ..)| {
            let of = key.key().labels().find(|label| label.key() == "projection");
            key.key().name() == names::PROJECTION_PARKED
                && of.is_some_and(|label| label.value() == "measured_owners")
        });
        match found {
            Some((.., DebugValue::Gauge(value))) => value.into_inner(),
            _ => 0.0,
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = async {
        let store = MemoryStore::new();
        let bus = CommandBus::new(store.clone());
        let engine = ProjectionEngine::builder(store).register::<MeasuredOwner>();
        let engine = engine.retry(RetryPolicy::never()).start().await.unwrap();
        let open = OpenAccount { account: "a".into(), owner: "Nobody".to_owned() };
        bus.dispatch(open).await.unwrap();
        let is_measured = async {
            while parked() < 0.5 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), is_measured).await.unwrap();
        // Whoever looks at what was measured takes it out: it is measured again a second later.
        tokio::time::sleep(Duration::from_secs(2)).await;
        engine.shutdown().await.unwrap();
        assert!(parked() < 0.5);
    };
    metrics::with_local_recorder(&recorder, || runtime.block_on(run));
}

/// One that has no tables, and waits for them.
#[derive(Debug, Clone, PartialEq, ReadModel)]
#[read_model(table = "awaited_owners")]
struct AwaitedOwner {
    #[read_model(key)]
    owner: String,
}

#[projection]
impl AwaitedOwner {
    #[on(upsert, key = owner)]
    fn opened(_: Option<Self>, event: &bank::AccountOpened) -> Self {
        Self { owner: event.owner.clone() }
    }
}

#[test]
fn who_waits_for_tables_tells_so_by_its_level() {
    let measured = measured(async {
        let engine = ProjectionEngine::builder(MemoryStore::new()).register::<AwaitedOwner>();
        let engine = engine.tables(Tables::Awaited).start().await.unwrap();
        let waits = async {
            let state = async || engine.status().await.unwrap().projections.remove(0).state;
            while state().await != ProjectionState::Unprepared {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), waits).await.unwrap();
        engine.shutdown().await.unwrap();
    });
    assert!(measured.gauge("annals_projection_level{projection=awaited_owners}") > 0.5);
}

/// One that stops at what fails.
#[derive(Debug, Clone, PartialEq, ReadModel)]
#[read_model(table = "stopped_owners")]
struct StoppedOwner {
    #[read_model(key)]
    owner: String,
}

#[projection(on_error = stop)]
impl StoppedOwner {
    #[on(upsert, key = owner)]
    fn opened(_: Option<Self>, event: &bank::AccountOpened) -> Result<Self, &'static str> {
        if event.owner == "Nobody" {
            return Err("nobody is nobody");
        }
        Ok(Self { owner: event.owner.clone() })
    }
}

#[test]
fn how_bad_it_is_that_a_projection_is_behind_is_a_number() {
    let level = |owner: &'static str| {
        let measured = measured(async move {
            let store = MemoryStore::new();
            let bus = CommandBus::new(store.clone());
            let engine = ProjectionEngine::builder(store).register::<StoppedOwner>();
            let engine = engine.start().await.unwrap();
            let open = OpenAccount { account: "a".into(), owner: owner.to_owned() };
            let last = bus.dispatch(open).await.unwrap();
            // Of one that has stopped, it fails.
            let _ = engine.wait_for::<StoppedOwner>(&last, Duration::from_secs(10)).await;
            let _ = engine.shutdown().await;
        });
        measured.gauge("annals_projection_level{projection=stopped_owners}")
    };
    assert!(level("Ada") < 0.5);
    assert!(level("Nobody") > 1.5);
}

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
            let event =
                NewEvent::new(Uuid::now_v7(), "MoneyDeposited", 1, Payload::new(r#"{"amount":1}"#));
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
    assert!(events.iter().copied().eq([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), "{events:?}");
    assert_eq!(measured.histogram("annals_replay_seconds{aggregate=account}").len(), 6);
}

/// A snapshot at each version, of which one is broken.
#[test]
fn loads_that_look_for_a_snapshot_tell_what_they_found() {
    let measured = measured(async {
        let store = MemoryStore::new();
        let bus = CommandBus::new(store.clone());
        open(&bus, "ada").await;
        deposit(&bus, "ada").await;
        let (stream_id, data) = (StreamId::new("account", "ada"), Payload::new("null"));
        let last: Vec<_> = store.read_stream(&stream_id, 2..).try_collect().await.unwrap();
        let shape = Account::snapshot_shape().map(|state| state.fingerprint.clone());
        let mut snapshot =
            annals::StoredSnapshot::new(stream_id, 2, last[0].id, data).with_shape(1, shape);
        let accounts = Repository::<Account>::new(store.clone());
        store.save_snapshot(snapshot.clone()).await.unwrap();
        accounts.load("ada").await.unwrap().unwrap();
        let state = serde_json::json!({ "owner": "Ada", "balance": 5, "closed": false });
        snapshot.data = Payload::new(state.to_string());
        store.save_snapshot(snapshot.clone()).await.unwrap();
        for _ in 0..3 {
            accounts.load("ada").await.unwrap().unwrap();
        }
        // Younger than what is asked for, it is no use.
        accounts.load("ada").at_version(1).await.unwrap().unwrap();
        // Of another history.
        snapshot.event_id = Uuid::now_v7();
        store.save_snapshot(snapshot).await.unwrap();
        accounts.load("ada").await.unwrap().unwrap();
    });
    for (outcome, count) in [("miss", 3), ("unusable", 2), ("hit", 3)] {
        let key = format!("annals_snapshot_loads_total{{aggregate=account,outcome={outcome}}}");
        assert_eq!(measured.counter(&key), count, "{key}");
    }
    let events = measured.histogram("annals_replay_events{aggregate=account}");
    assert!(events.iter().copied().eq([0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 1.0, 2.0]), "{events:?}");
}

async fn append(store: &impl EventStore, stream: &str, events: usize) {
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

#[test]
fn statements_tell_how_many_shared_them_and_the_pool_how_long_it_took() {
    let measured = measured(async {
        let database = TestDatabase::create().await.unwrap();
        let store = PostgresStore::connect(database.url()).await.unwrap();
        store.migrate().await.unwrap();
        append(&store, "first", 3).await;
        let streams: Vec<String> = (0..20).map(|number| format!("s-{number}")).collect();
        futures::future::join_all(streams.iter().map(|stream| append(&store, stream, 2))).await;
        store.head().await.unwrap();
    });
    let calls = measured.histogram("annals_batch_calls{}");
    let events = measured.histogram("annals_batch_events{}");
    assert_eq!(calls.len(), events.len());
    assert!((calls.iter().sum::<f64>() - 21.0).abs() < f64::EPSILON, "{calls:?}");
    assert!((events.iter().sum::<f64>() - 43.0).abs() < f64::EPSILON, "{events:?}");
    assert!((events[0] - 3.0).abs() < f64::EPSILON, "{events:?}");
    assert!(calls.iter().any(|shared| *shared > 1.0), "twenty at once share statements: {calls:?}");
    assert!(!measured.histogram("annals_pool_wait_seconds{}").is_empty());
}

/// Where somebody looks a name up: one row for each.
#[test]
fn the_docs_list_each_name_once() {
    let docs = include_str!("../../core/src/metrics.rs");
    for name in names::ALL {
        let row = format!("//! | `{name}` | ");
        assert_eq!(docs.matches(&row).count(), 1, "{name}");
    }
    assert_eq!(docs.matches("//! | `annals_").count(), names::ALL.len());
}
