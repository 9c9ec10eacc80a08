//! States of processes that were written by another release.

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use crate::scene::{Scene, Store, act, json_of, parked, settled};
use crate::script::{Began, ScriptId, Told};
use crate::works::{Make, WorkId};

/// As the release before wrote it.
#[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "counter", version = 1, id = ScriptId, sends(Make))]
struct First {
    count: u32,
}

#[process]
impl First {
    #[on(key = |event| event.to.clone())]
    fn began(_: &Began) -> Self {
        Self { count: 1 }
    }

    #[on(key = |event| event.to.clone())]
    fn told(&mut self, _: &Told) {
        self.count += 1;
    }
}

/// As two releases later it is: what was counted has a name each, and then a note.
#[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
#[process_manager(
    name = "counter",
    version = 3,
    id = ScriptId,
    sends(Make),
    upcast(from = 1, with = named),
    upcast(from = 2, with = noted)
)]
struct Third {
    names: Vec<String>,
    note: String,
}

fn named(mut state: serde_json::Value) -> serde_json::Value {
    let count = state["count"].as_u64().unwrap_or_default();
    state["names"] = (0..count).map(|number| format!("n{number}")).collect();
    state
}

fn noted(mut state: serde_json::Value) -> serde_json::Value {
    state["note"] = format!("of {}", state["names"].as_array().map_or(0, Vec::len)).into();
    state
}

#[process]
impl Third {
    #[on(key = |event| event.to.clone())]
    fn began(event: &Began) -> Self {
        Self { names: vec![event.note.clone()], note: "new".into() }
    }

    #[on(key = |event| event.to.clone())]
    fn told(&mut self, event: &Told) -> Make {
        self.names.push(event.note.clone());
        let work: WorkId = event.note.as_str().into();
        Make { work, note: format!("{} {}", self.note, self.names.join(",")), refused: act() }
    }
}

async fn a_state_of_a_lower_version_is_lifted(scene: Scene<impl Store>) {
    let first = || ProcessEngine::builder(scene.bus.clone()).register::<First>();
    let third = || ProcessEngine::builder(scene.bus.clone()).register::<Third>();
    let engine = first().start().await.unwrap();
    scene.begin("a", "1", act()).await;
    scene.tell("a", "2", act()).await;
    settled(&engine).await;
    engine.shutdown().await.unwrap();
    let engine = third().start().await.unwrap();
    scene.tell("a", "3", act()).await;
    settled(&engine).await;
    assert_eq!(scene.worked().await, ["of 2 n0,n1,3"]);
    engine.shutdown().await.unwrap();
    // The release before cannot read what the later one wrote, and lets it be; its own goes on.
    let engine = first().start().await.unwrap();
    scene.tell("a", "4", act()).await;
    scene.begin("b", "5", act()).await;
    let found = parked(&engine, 1).await;
    assert_eq!(found[0].id, "a");
    assert!(found[0].error.contains("newer than version 1"), "{found:?}");
    engine.shutdown().await.unwrap();
    let engine = third().start().await.unwrap();
    until_owner(&engine).await;
    engine.retry_parked::<Third>("a").await.unwrap();
    scene.tell("b", "6", act()).await;
    settled(&engine).await;
    assert_eq!(scene.worked().await, ["of 2 n0,n1,3", "of 2 n0,n1,3,4", "of 1 n0,6"]);
    engine.shutdown().await.unwrap();
}

async fn until_owner(engine: &ProcessEngine) {
    let is_owner = async || {
        let status = engine.status().await.unwrap();
        status.of::<Third>().unwrap().owner.is_some()
    };
    crate::scene::until(is_owner).await;
}

/// A drop touches no state: it stays of the version that wrote it.
async fn a_drop_leaves_the_version_of_a_state(scene: Scene<impl Store>) {
    let third = ProcessEngine::builder(scene.bus.clone()).register::<Third>();
    let engine = third.start().await.unwrap();
    scene.begin("a", "1", act()).await;
    settled(&engine).await;
    engine.shutdown().await.unwrap();
    let first = ProcessEngine::builder(scene.bus.clone()).register::<First>();
    let engine = first.start().await.unwrap();
    scene.tell("a", "2", act()).await;
    parked(&engine, 1).await;
    assert_eq!(engine.drop_parked::<First>("a").await.unwrap(), 1);
    engine.shutdown().await.unwrap();
    let stream = StreamId::new("annals/process/counter", "a");
    let steps = scene.log().await.into_iter().filter(|event| event.stream_id == stream);
    let versions: Vec<_> = steps.map(|step| json_of(&step)["version"].as_u64()).collect();
    assert_eq!(versions, [Some(3), Some(3)]);
}

crate::on_each_store!(a_state_of_a_lower_version_is_lifted, a_drop_leaves_the_version_of_a_state);
