//! Shards that could not begin with the others, or have stopped by themselves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use annals::prelude::*;
use annals::projection::{ParkedEvent, ProjectionState};
use annals::shards::Division;
use annals::{CheckpointChange, CheckpointId, RowChange, UnitOfWork};

use crate::scene::{Scene, Store, act, bus, engine, settled, status, until};
use crate::script::Script;
use crate::shards::{ids, reader, sorted};
use crate::watched::{Fate, Watch, Watched};

/// What was before it was started, a process does not take, whichever shard it is of.
async fn a_shard_that_could_not_begin_begins_with_the_others(scene: Scene<impl Store>) {
    let ids = ids();
    for id in &ids {
        scene.begin(id, "0", act().works("of before")).await;
    }
    scene.store.divide(&reader(), Division::AtFirst(4)).await.unwrap();
    // As of an engine that has died before it could say where this one begins.
    let held = CheckpointId { shard: 2, ..reader() };
    let dead = scene.store.claim_lease(&held, "dead", Duration::from_secs(1)).await.unwrap();
    assert!(dead.is_some(), "nobody has begun it");
    let engine = scene.engine().workers(64).shards::<Script>(4).start().await.unwrap();
    engine.set_shards::<Script>(7).await.unwrap();
    for id in &ids {
        scene.begin(id, "1", act().works(id)).await;
    }
    settled(&engine).await;
    assert_eq!(sorted(scene.worked().await), sorted(ids));
    engine.shutdown().await.unwrap();
}

/// A store whose log does not read for as long as it is broken.
#[derive(Default)]
struct Broken(AtomicBool);

impl Watch for Broken {
    fn fate(&self, call: &'static str, _: Option<&UnitOfWork>) -> Fate {
        let is_broken = call == "log_page" && self.0.load(Ordering::SeqCst);
        if is_broken { Fate::Refused } else { Fate::Passes }
    }
}

fn requests() -> CheckpointId {
    CheckpointId { name: "annals/requests".into(), version: 1, shard: 0 }
}

/// Asks as `processes resume` does, in whatever program.
async fn ask_to_resume(store: &impl Store) {
    let wish = serde_json::json!({ "resume": { "asked_at": Timestamp::now() } });
    let CheckpointId { name, version, shard } = reader();
    let request = ParkedEvent {
        reader: requests(),
        key: serde_json::json!([name, version, shard, wish]).to_string(),
        position: Position::START,
        stream_id: StreamId::new("annals/requests", "nothing"),
        event_type: "annals/requests".into(),
        error: String::new(),
        attempts: 0,
        parked_at: Timestamp::now(),
        retry_at: None,
    };
    let claimed = store.claim_lease(&requests(), "person", Duration::from_secs(5)).await;
    let fence = claimed.unwrap().expect("nobody else asks for anything");
    let change = CheckpointChange { fence: fence.clone(), position: Position::START };
    store.write_rows(vec![RowChange::Park(request)], change).await.unwrap();
    store.release_lease(&fence).await.unwrap();
}

async fn one_that_has_stopped_hears_what_is_asked_of_it_from_outside(scene: Scene<impl Store>) {
    for shards in [1, 4] {
        let store = Watched::new(scene.store.clone(), Broken::default());
        let bus = bus(&store, &scene.passes).build().unwrap();
        let engine = engine(&bus).clock(scene.clock.clone()).shards::<Script>(shards);
        let engine = engine.start().await.unwrap();
        engine.set_shards::<Script>(shards).await.unwrap();
        let all = async |runs: bool| {
            let told = status(&engine).await.shards;
            told.len() == shards as usize && told.iter().all(|shard| shard.runs_here == runs)
        };
        until(async || all(true).await).await;
        store.watch.0.store(true, Ordering::SeqCst);
        let note = format!("of {shards}");
        for id in ids() {
            scene.begin(&format!("{id} of {shards}"), &note, act().works(&note)).await;
        }
        until(async || all(false).await).await;
        until(async || status(&engine).await.state == ProjectionState::Stopped).await;
        store.watch.0.store(false, Ordering::SeqCst);
        ask_to_resume(&scene.store).await;
        until(async || all(true).await).await;
        settled(&engine).await;
        let worked = scene.worked().await;
        assert_eq!(worked.iter().filter(|worked| **worked == note).count(), ids().len());
        // It is taken back: whoever asked knows that it is done.
        until(async || scene.store.parked(&requests(), None).await.unwrap().is_empty()).await;
        engine.shutdown().await.unwrap();
    }
}

crate::on_each_store!(
    a_shard_that_could_not_begin_begins_with_the_others,
    one_that_has_stopped_hears_what_is_asked_of_it_from_outside,
);
