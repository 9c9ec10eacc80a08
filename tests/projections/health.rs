//! What probes are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use annals::health::{Health, HealthCheck, PartKind};
use annals::prelude::*;
use annals::projection::{Level, ProjectionState, Tables, Thresholds};
use annals::{LogPage, UnitOfWorkStore};
use annals_testing::conformance::faulty::{Fault, Faulty};

use crate::models::ItemRow;
use crate::on_each_store;
use crate::stopped::is;
use crate::stores::{PATIENCE, Slow, Store, bus, listed, priced, record, wait};

on_each_store!(
    who_has_caught_up_once_stays_ready,
    an_outage_takes_the_readiness_and_not_the_life,
    an_engine_that_has_ended_does_not_live,
    who_has_no_tables_is_not_ready,
);

async fn who_has_caught_up_once_stays_ready(store: impl Store) {
    let bus = bus(&store);
    let mut last = None;
    for number in 0..200 {
        last = Some(record(&bus, &format!("i-{number}"), listed("Ada", 1)).await);
    }
    let slow = Faulty::new(store.clone(), Slow(Duration::from_millis(5)));
    let engine = ProjectionEngine::builder(slow).register::<ItemRow>().batch(1);
    let engine = engine.start().await.expect("the engine starts");
    let check = HealthCheck::new().projections(&engine).ready_within(Duration::ZERO);
    is(&engine, ProjectionState::CatchingUp).await;
    let health = check.ask().await;
    assert_eq!((health.live, health.ready, health.ready_code()), (true, false, 503), "{health:?}");
    assert!(!health.parts[0].caught_up && health.parts[0].events_behind > 0, "{health:?}");
    wait(&engine, &last.expect("there is one")).await;
    assert_eq!(check.ask().await.ready_code(), 200);

    engine.pause::<ItemRow>().await.expect("it is registered");
    is(&engine, ProjectionState::Paused).await;
    record(&bus, "i-0", priced(2)).await;
    let health = check.ask().await;
    assert!(health.ready && health.parts[0].caught_up, "{health:?}");
    let now = Thresholds { warning: Duration::ZERO, critical: Duration::from_hours(1) };
    assert_eq!(check.clone().thresholds(now).ask().await.level, Level::Warning);
    let strict = check.unready_behind(Duration::ZERO).ask().await;
    assert!(strict.live && !strict.ready, "{strict:?}");
    // One that begins beside a projection that is paused does not wait for a person.
    let second = HealthCheck::new().projections(&engine).ready_within(Duration::ZERO).ask().await;
    assert!(second.ready && !second.parts[0].caught_up, "{second:?}");
}

/// A store whose log is not read: 1 fails, 2 does not answer.
#[derive(Clone, Default)]
struct Cut(Arc<AtomicU8>);

#[async_trait]
impl<S: UnitOfWorkStore + SnapshotStore> Fault<S> for Cut {
    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError> {
        match self.0.load(Ordering::SeqCst) {
            1 => Err(StoreError::unavailable("the cable is cut")),
            2 => std::future::pending().await,
            _ => store.log_page(read).await,
        }
    }
}

async fn an_outage_takes_the_readiness_and_not_the_life(store: impl Store) {
    let bus = bus(&store);
    let first = record(&bus, "a", listed("Ada", 1)).await;
    let cut = Cut::default();
    let engine = ProjectionEngine::builder(Faulty::new(store.clone(), cut.clone()));
    let engine = engine.register::<ItemRow>().start().await.expect("the engine starts");
    wait(&engine, &first).await;
    let check = HealthCheck::new().projections(&engine).patience(PATIENCE);
    let hasty = check.clone().patience(Duration::from_millis(100));
    let ready = async || {
        let is_ready = async {
            while !check.ask().await.ready {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, is_ready).await.expect("it becomes ready");
    };
    ready().await;
    engine.pause::<ItemRow>().await.expect("it is registered");
    is(&engine, ProjectionState::Paused).await;
    record(&bus, "a", priced(2)).await;
    let late = "the store did not answer within 100ms";
    for (how, check, why) in [(1, &check, "the cable is cut"), (2, &hasty, late)] {
        cut.0.store(how, Ordering::SeqCst);
        let Health { live, ready, level, error, .. } = check.ask().await;
        assert_eq!((live, ready, level), (true, false, Level::Critical));
        assert_eq!(error.as_deref(), Some(why));
    }
    cut.0.store(0, Ordering::SeqCst);
    ready().await;
}

async fn an_engine_that_has_ended_does_not_live(store: impl Store) {
    let engine = ProjectionEngine::builder(store.clone()).register::<ItemRow>();
    let engine = engine.start().await.expect("the engine starts");
    let bus = bus(&store);
    let processes = ProcessEngine::builder(bus).start().await.expect("the engine starts");
    let check = HealthCheck::new().projections(&engine).processes(&processes);
    is(&engine, ProjectionState::Live).await;
    let health = check.ask().await;
    assert_eq!((health.live_code(), health.ready_code()), (200, 200));
    assert_eq!(health.parts[0].kind, PartKind::Projection);
    let expected = serde_json::json!({
        "live": true, "ready": true, "level": "normal", "error": null,
        "parts": [{
            "kind": "projection", "name": "items", "version": 1, "state": "live", "level": "normal",
            "events_behind": 0, "seconds_behind": 0.0, "parked": 0, "caught_up": true, "last_error": null,
        }],
    });
    let told: serde_json::Value = serde_json::from_str(&health.to_json()).expect("it is JSON");
    assert_eq!(told, expected);
    engine.shutdown().await.expect("nothing went wrong");
    let health = check.ask().await;
    assert_eq!((health.live_code(), health.ready_code()), (503, 503), "{health:?}");
}

async fn who_has_no_tables_is_not_ready(store: impl Store) {
    let engine = ProjectionEngine::builder(store.clone()).register::<ItemRow>();
    let engine = engine.tables(Tables::Awaited).start().await.expect("it waits");
    let check = HealthCheck::new().projections(&engine);
    is(&engine, ProjectionState::Unprepared).await;
    // The log is empty, and it is not behind.
    let health = check.ask().await;
    assert_eq!((health.live, health.ready_code()), (true, 503), "{health:?}");
    assert_eq!((health.level, health.parts[0].caught_up), (Level::Warning, false), "{health:?}");
    let plan = engine.operator().plan().await.expect("the store is there");
    plan.apply().await.expect("it may make tables");
    is(&engine, ProjectionState::Live).await;
    let health = check.ask().await;
    assert_eq!((health.ready_code(), health.level), (200, Level::Normal), "{health:?}");
    engine.shutdown().await.expect("nothing went wrong");
}
