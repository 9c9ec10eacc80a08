//! States of processes that were written by another release.

use std::time::Duration;

use annals::prelude::*;
use annals::process::ParkedCause;
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
    // Of two processes, either may come first.
    let mut worked = scene.worked().await;
    worked.sort();
    assert_eq!(worked, ["of 1 n0,6", "of 2 n0,n1,3", "of 2 n0,n1,3,4"]);
    engine.shutdown().await.unwrap();
}

async fn until_owner(engine: &ProcessEngine) {
    let is_owner = async || {
        let status = engine.status().await.unwrap();
        status.of::<Third>().unwrap().runs_here
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

/// As the release before had it: with a deadline.
#[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "reminder", id = ScriptId, sends(Make))]
struct Reminds {
    seen: u32,
}

#[process]
impl Reminds {
    #[on(key = |event| event.to.clone())]
    fn began(_: &Began) -> Self {
        Self { seen: 1 }
    }

    #[on(key = |event| event.to.clone())]
    fn told(&mut self, _: &Told) {
        self.seen += 1;
    }

    #[deadline(name = "late", after = Duration::from_mins(1))]
    fn late(&self, cx: &EventContext<Self>) -> Make {
        let note = format!("{} at {}", cx.id(), self.seen);
        Make { work: note.as_str().into(), note, refused: act() }
    }
}

/// As it is now: without.
#[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "reminder", id = ScriptId, sends(Make))]
struct RemindsNoMore {
    seen: u32,
}

#[process]
impl RemindsNoMore {
    #[on(key = |event| event.to.clone())]
    fn began(_: &Began) -> Self {
        Self { seen: 1 }
    }

    #[on(key = |event| event.to.clone())]
    fn told(&mut self, _: &Told) {
        self.seen += 1;
    }
}

/// What was set for a deadline that a release no longer has waits for a person, who drops it, or brings the deadline back.
async fn a_deadline_that_is_gone_waits_for_a_person(scene: Scene<impl Store>) {
    let builder = || ProcessEngine::builder(scene.bus.clone()).clock(scene.clock.clone());
    let engine = builder().register::<Reminds>().start().await.unwrap();
    for id in ["a", "b"] {
        scene.begin(id, "1", act()).await;
    }
    settled(&engine).await;
    engine.shutdown().await.unwrap();
    scene.clock.advance(Duration::from_mins(2));
    let engine = builder().register::<RemindsNoMore>().start().await.unwrap();
    let found = parked(&engine, 2).await;
    for found in &found {
        assert_eq!(found.cause, ParkedCause::Deadline { name: "late".to_owned() });
        let error = "deadline `late` is due, and no `#[deadline]` of this release takes it; retry with a release that has \
                     it, or drop it";
        assert_eq!(found.error, error);
    }
    scene.tell("a", "2", act()).await;
    // The event that waits behind it is given up, too: nobody is asked which.
    crate::scene::until(async || {
        engine.parked().await.unwrap().iter().any(|parked| parked.waiting == 1)
    })
    .await;
    assert_eq!(engine.drop_parked::<RemindsNoMore>("a").await.unwrap(), 2);
    scene.tell("a", "3", act()).await;
    parked(&engine, 1).await;
    engine.shutdown().await.unwrap();
    let engine = builder().register::<Reminds>().start().await.unwrap();
    assert_eq!(engine.retry_parked::<Reminds>("b").await.unwrap(), 1);
    settled(&engine).await;
    assert_eq!(scene.worked().await, ["b at 1"]);
    engine.shutdown().await.unwrap();
}

crate::on_each_store!(
    a_deadline_that_is_gone_waits_for_a_person,
    a_state_of_a_lower_version_is_lifted,
    a_drop_leaves_the_version_of_a_state,
);
