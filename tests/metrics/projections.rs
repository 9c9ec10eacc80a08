//! What is measured of projections.

use std::time::Duration;

use annals::prelude::*;
use annals::projection::{ProjectionState, Tables};
use annals::{MemoryStore, metrics as names};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use crate::bank::{self, OpenAccount};
use crate::measured::measured;

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
