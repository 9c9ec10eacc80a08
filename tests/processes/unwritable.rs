//! Steps that a store does not take: their processes wait for a person, and nobody else does.

use std::time::Duration;

use annals::UnitOfWork;
use annals::process::ParkedCause;

use serde_json::Value;

use crate::scene::{Scene, Store, act, bus, engine, parked, settled};
use crate::script::{How, Script};
use crate::watched::{Fate, Watch, Watched};
use crate::works::Works;

/// Does not take what says that it is too much.
struct Limited;

impl Watch for Limited {
    fn fate(&self, _: &'static str, work: Option<&UnitOfWork>) -> Fate {
        let outgoing = work.into_iter().flat_map(|work| &work.outgoing);
        let is_too_much = |data: &str| {
            serde_json::from_str::<Value>(data).is_ok_and(|content| content["note"] == "too much")
        };
        if outgoing.into_iter().any(|command| is_too_much(command.data.as_str())) {
            Fate::Refused
        } else {
            Fate::Passes
        }
    }
}

async fn a_step_that_cannot_be_written_parks_only_its_process(scene: Scene<impl Store>) {
    let store = Watched::new(scene.store.clone(), Limited);
    let bus = bus(&store, &scene.passes).build().unwrap();
    let engine = engine(&bus).clock(scene.clock.clone()).start().await.unwrap();
    let too_much = || act().works("too much");
    let refused = act().sends("w", "no", How::Work(Works::Refused)).or(too_much());
    scene.begin("event", "1", too_much()).await;
    scene.begin("refusal", "2", refused.works("behind")).await;
    scene.begin("deadline", "3", act().at_deadline(too_much())).await;
    scene.begin("fine", "4", act().works("one").at_deadline(act().works("late"))).await;
    for id in ["event", "refusal", "fine"] {
        scene.tell(id, "5", act().works(id)).await;
    }
    parked(&engine, 2).await;
    scene.clock.advance(Duration::from_mins(11));
    let found = parked(&engine, 3).await;
    for parked in &found {
        assert!(parked.error.contains("more than the store takes"), "{parked:?}");
        let is_as_named = match &parked.cause {
            ParkedCause::Event { .. } => parked.id == "event" && parked.waiting == 1,
            ParkedCause::Command { .. } => parked.id == "refusal" && parked.waiting == 1,
            _ => parked.id == "deadline" && parked.waiting == 0,
        };
        assert!(is_as_named, "{parked:?}");
    }
    assert_eq!(scene.saw("fine").await, ["began 4", "told 5", "first"]);
    assert_eq!(scene.worked().await, ["one", "fine", "late"]);
    // In vain.
    for id in ["event", "refusal", "deadline"] {
        engine.retry_parked::<Script>(id).await.unwrap();
    }
    parked(&engine, 3).await;
    // A store that takes more mends it.
    engine.shutdown().await.unwrap();
    let engine = scene.started().await;
    for id in ["event", "refusal", "deadline"] {
        engine.retry_parked::<Script>(id).await.unwrap();
    }
    settled(&engine).await;
    assert_eq!(scene.saw("event").await, ["began 1", "told 5", "first"]);
    let no = "no was rejected: no work for no";
    assert_eq!(scene.saw("refusal").await, ["began 2", no, "told 5", "first"]);
    assert_eq!(scene.saw("deadline").await, ["began 3", "first"]);
    engine.shutdown().await.unwrap();
}

crate::on_each_store!(a_step_that_cannot_be_written_parks_only_its_process);
