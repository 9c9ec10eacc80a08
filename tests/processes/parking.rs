//! Processes that wait for a person: why, what waits behind, and how they go on.

use std::time::Duration;

use annals::prelude::*;
use annals::process::ParkedCause;
use annals::{Append, Expected, NewEvent, Payload};

use crate::scene::{Scene, Store, act, parked, settled};
use crate::script::{Act, How, Script, mend};
use crate::works::Works;

/// What is mended of this scene only.
fn key(scene: &Scene<impl Store>, what: &str) -> String {
    format!("{what} of {}", scene.name)
}

async fn a_step_that_panics_parks_only_its_process(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let key = key(&scene, "step");
    scene.begin("a", "1", act()).await;
    scene.begin("b", "2", act()).await;
    let broken = scene.tell("a", "3", act().works("three").broken(&key)).await;
    for note in ["4", "5", "6"] {
        let to = ["a", "b"];
        scene.signal(crate::script::Kind::Tell, &to, note, act().works(note)).await;
    }
    let found = parked(&engine, 1).await;
    let ParkedCause::Event { event_type, position, .. } = &found[0].cause else {
        panic!("{found:?}");
    };
    assert_eq!((event_type.as_str(), *position), ("Told", broken.position));
    assert_eq!((found[0].error.as_str(), found[0].waiting), ("panicked: the step is broken", 3));
    assert_eq!(found[0].attempts, 1);
    assert_eq!(scene.saw("b").await, ["began 2", "told 4", "told 5", "told 6"]);
    assert_eq!(scene.saw("a").await, ["began 1"]);
    // It waits through a restart, with what comes then.
    engine.shutdown().await.unwrap();
    let engine = scene.started().await;
    scene.tell("a", "7", act()).await;
    settled_but(&engine, 4).await;
    engine.retry_parked::<Script>("a").await.unwrap();
    crate::scene::until(async || engine.parked().await.unwrap()[0].attempts == 2).await;
    mend(&key);
    assert_eq!(engine.retry_parked::<Script>("a").await.unwrap(), 5);
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1", "told 3", "told 4", "told 5", "told 6", "told 7"]);
    assert_eq!(scene.worked().await, ["4", "5", "6", "three", "4", "5", "6"]);
    engine.shutdown().await.unwrap();
}

/// What is parked is read once more where another process's event holds the checkpoint up: it waits as it did.
async fn what_waits_is_not_parked_anew_when_it_is_read_again(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let key = key(&scene, "step");
    scene.begin("a", "1", act()).await;
    scene.begin("slow", "2", act().held("one")).await;
    scene.passes.waits("one").await;
    scene.tell("slow", "3", act()).await;
    scene.tell("a", "4", act().broken(&key)).await;
    scene.tell("a", "5", act()).await;
    let waits = async |engine: &ProcessEngine| {
        scene.begin("b", "seen", act().works("seen").ends()).await;
        crate::scene::until(async || {
            let found = engine.parked().await.unwrap();
            found.first().is_some_and(|parked| parked.waiting == 1)
        })
        .await;
        engine.parked().await.unwrap()
    };
    let before = waits(&engine).await;
    drop(engine);
    let engine = scene.started().await;
    scene.tell("a", "6", act()).await;
    crate::scene::until(async || engine.parked().await.unwrap()[0].waiting == 2).await;
    let after = engine.parked().await.unwrap();
    assert_eq!((&after[0].error, after[0].attempts), (&before[0].error, 1));
    assert_eq!(after[0].parked_at, before[0].parked_at);
    drop(engine);
    // It is not taken for one that is tried again, either.
    let engine = scene.started().await;
    scene.passes.pass("one");
    settled_but(&engine, 2).await;
    assert_eq!(scene.saw("a").await, ["began 1"]);
    mend(&key);
    assert_eq!(engine.retry_parked::<Script>("a").await.unwrap(), 3);
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1", "told 4", "told 5", "told 6"]);
    engine.shutdown().await.unwrap();
}

async fn settled_but(engine: &ProcessEngine, waiting: u64) {
    let found = parked(engine, 1).await;
    assert_eq!(found[0].waiting, waiting);
}

/// What parks a process with its command, and how it goes on once it is let pass.
async fn a_command_parks(scene: &Scene<impl Store>, sent: Act, name: &str, error: &str) {
    let engine = scene.started().await;
    scene.begin(name, "1", sent.works("behind")).await;
    scene.tell(name, "2", act().works("after")).await;
    scene.begin(&format!("not {name}"), "3", act().works(name)).await;
    let found = parked(&engine, 1).await;
    assert_eq!((found[0].id.as_str(), found[0].waiting), (name, 1));
    let cause = ParkedCause::Command { name: name.to_owned() };
    assert_eq!(found[0].cause, cause);
    assert!(found[0].error.starts_with(error), "{found:?}");
    // A restart changes nothing.
    engine.shutdown().await.unwrap();
    let engine = scene.started().await;
    parked(&engine, 1).await;
    scene.has_worked(name).await;
    assert_eq!(scene.worked().await, [name]);
    assert_eq!(engine.drop_parked::<Script>(name).await.unwrap(), 2);
    settled(&engine).await;
    scene.tell(name, "4", act()).await;
    settled(&engine).await;
    assert_eq!(scene.saw(name).await, ["began 1", "told 4"]);
    assert_eq!(scene.worked().await, [name]);
    engine.shutdown().await.unwrap();
}

async fn a_command_without_a_handler_parks(scene: Scene<impl Store>) {
    let lost = act().sends("w", "lost", How::Lost);
    a_command_parks(&scene, lost, "Lost", "command `Lost`: no handler of the bus takes it").await;
}

async fn a_command_that_cannot_be_read_parks(scene: Scene<impl Store>) {
    let picky = act().sends("w", "picked", How::Picky);
    a_command_parks(&scene, picky, "Picky", "command `Picky`: it is not to my taste").await;
}

async fn a_handler_that_panics_parks(scene: Scene<impl Store>) {
    let broken = act().sends("w", "broken", How::Work(Works::PanicsAtFirst));
    a_command_parks(&scene, broken, "Work", "command `Work`: panicked: the handler is broken")
        .await;
}

async fn a_refusal_without_a_step_parks(scene: Scene<impl Store>) {
    let refused = act().sends("w", "refused", How::Bare(Works::Refused));
    let error = "command `Bare` was refused, and no `#[rejected]` takes it: no work for refused";
    a_command_parks(&scene, refused, "Bare", error).await;
}

/// The step that takes a refusal panics: mended, the command is sent again, and refused again.
async fn a_refusal_whose_step_panics_parks(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let key = key(&scene, "refusal");
    let step = act().works("instead").broken(&key);
    let refused = act().sends("w", "no", How::Work(Works::Refused)).or(step);
    scene.begin("a", "1", refused.works("behind")).await;
    scene.tell("a", "2", act()).await;
    let found = parked(&engine, 1).await;
    assert_eq!(found[0].error, "panicked: the step is broken");
    assert_eq!(found[0].cause, ParkedCause::Command { name: "Work".into() });
    mend(&key);
    engine.retry_parked::<Script>("a").await.unwrap();
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1", "no was rejected: no work for no", "told 2"]);
    assert_eq!(scene.worked().await, ["instead"]);
    engine.shutdown().await.unwrap();
}

async fn a_deadline_whose_step_panics_parks(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let key = key(&scene, "deadline");
    let broken = act().works("late").broken(&key);
    scene.begin("a", "1", act().at_deadline(broken)).await;
    scene.begin("b", "2", act().at_deadline(act().works("of b"))).await;
    settled(&engine).await;
    scene.clock.advance(Duration::from_mins(11));
    let found = parked(&engine, 1).await;
    assert_eq!(found[0].cause, ParkedCause::Deadline { name: "first".into() });
    scene.has_worked("of b").await;
    scene.tell("a", "3", act()).await;
    engine.shutdown().await.unwrap();
    let engine = scene.started().await;
    settled_but(&engine, 1).await;
    assert_eq!(scene.saw("a").await, ["began 1"]);
    mend(&key);
    engine.retry_parked::<Script>("a").await.unwrap();
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1", "first", "told 3"]);
    assert_eq!(scene.worked().await, ["of b", "late"]);
    engine.shutdown().await.unwrap();
}

/// Another program wrote a step that this one cannot read: its process waits, whatever would wake it, and nobody else does.
async fn a_process_whose_stream_cannot_be_read_parks(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    for id in ["event", "deadline", "fine"] {
        scene.begin(id, "1", act().at_deadline(act().works("late"))).await;
    }
    settled(&engine).await;
    engine.shutdown().await.unwrap();
    for id in ["event", "deadline"] {
        let step = NewEvent::new(uuid::Uuid::now_v7(), "annals/step", 99, Payload::new("{}"));
        let stream = StreamId::new("annals/process/script", id);
        let append = Append::new(stream, Expected::Any, vec![step]);
        scene.store.append(vec![append]).await.unwrap();
    }
    let engine = scene.started().await;
    scene.tell("event", "2", act()).await;
    scene.tell("event", "3", act()).await;
    scene.tell("fine", "4", act()).await;
    let found = parked(&engine, 1).await;
    assert_eq!((found[0].id.as_str(), found[0].waiting), ("event", 1));
    assert!(found[0].error.contains("version 99"), "{found:?}");
    scene.clock.advance(Duration::from_mins(11));
    let found = parked(&engine, 2).await;
    assert_eq!(found.iter().filter(|parked| parked.id == "deadline").count(), 1, "{found:?}");
    assert_eq!(scene.saw("fine").await, ["began 1", "told 4", "first"]);
    // What cannot be read cannot be dropped, and nothing else stops for that.
    let dropped = engine.drop_parked::<Script>("event").await;
    assert!(dropped.is_err(), "{dropped:?}");
    engine.retry_parked::<Script>("deadline").await.unwrap();
    scene.tell("fine", "5", act()).await;
    parked(&engine, 2).await;
    assert_eq!(scene.saw("fine").await.last().unwrap(), "told 5");
    engine.shutdown().await.unwrap();
}

crate::on_each_store!(
    a_step_that_panics_parks_only_its_process,
    what_waits_is_not_parked_anew_when_it_is_read_again,
    a_command_without_a_handler_parks,
    a_command_that_cannot_be_read_parks,
    a_handler_that_panics_parks,
    a_refusal_without_a_step_parks,
    a_refusal_whose_step_panics_parks,
    a_deadline_whose_step_panics_parks,
    a_process_whose_stream_cannot_be_read_parks,
);
