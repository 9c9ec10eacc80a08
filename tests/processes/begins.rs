//! How a process begins and ends, and what is skipped.

use std::collections::BTreeSet;
use std::time::Duration;

use annals::prelude::*;
use annals::process::ParkedCause;

use crate::scene::{Scene, Store, act, bus, json_of, parked, settled, status};
use crate::script::{How, Kind, Script};
use crate::works::Works;

async fn what_comes_for_nobody_is_skipped_and_counted(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    scene.tell("a", "1", act().works("one")).await;
    scene.begin("a", "2", act()).await;
    scene.tell("a", "3", act().ends()).await;
    scene.tell("a", "4", act().works("four")).await;
    settled(&engine).await;
    assert_eq!(scene.worked().await, [""; 0]);
    assert_eq!(scene.steps("a").await.len(), 2);
    let status = status(&engine).await;
    assert_eq!((status.begun, status.done, status.skipped), (1, 1, 2));
    engine.shutdown().await.unwrap();
}

async fn an_event_that_would_begin_one_that_lives_parks(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    scene.begin("a", "1", act()).await;
    let again = scene.begin("a", "2", act().works("two")).await;
    scene.tell("a", "3", act().works("three")).await;
    let found = parked(&engine, 1).await;
    let ParkedCause::Event { event_type, position, .. } = &found[0].cause else {
        panic!("{found:?}");
    };
    assert_eq!((event_type.as_str(), *position), ("Began", again.position));
    assert!(found[0].error.contains("it lives"), "{found:?}");
    assert_eq!(found[0].waiting, 1);
    assert_eq!(engine.drop_parked::<Script>("a").await.unwrap(), 2);
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1"]);
    // One that has an `upsert` goes on.
    scene.signal(Kind::Join, &["a", "b"], "4", act().works("four")).await;
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1", "joined 4"]);
    assert_eq!(scene.saw("b").await, ["joined 4"]);
    engine.shutdown().await.unwrap();
}

async fn a_new_incarnation_has_new_keys(scene: Scene<impl Store>) {
    // Keys of callers are gone at once; those of processes stay.
    let bus = bus(&scene.store, &scene.passes).key_lifetime(Duration::ZERO).build().unwrap();
    let engine = crate::scene::engine(&bus).start().await.unwrap();
    for _ in 0..3 {
        scene.begin("a", "again", act().works("one").ends()).await;
    }
    scene.begin("a", "again", act().works("one")).await;
    scene.tell("a", "end", act().works("one").ends()).await;
    settled(&engine).await;
    assert_eq!(scene.worked().await.len(), 5);
    let steps: Vec<_> = scene.steps("a").await.iter().map(json_of).collect();
    let incarnations: Vec<_> = steps.iter().map(|step| step["incarnation"].as_u64()).collect();
    assert_eq!(incarnations, [Some(1), Some(2), Some(3), Some(4), Some(4)]);
    let keys: Vec<_> = steps.iter().map(|step| step["commands"][0]["key"].as_str()).collect();
    let keys: Vec<&str> = keys.into_iter().map(|key| key.expect("a key")).collect();
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 5, "{keys:?}");
    // Every one of them is kept with its work, and does not expire.
    scene.store.purge_keys().await.unwrap();
    for key in keys {
        let kept = scene.store.find_key(&StreamId::new("working", "w"), key).await.unwrap();
        assert!(kept.is_some(), "{key}");
    }
    engine.shutdown().await.unwrap();
}

/// A step that begins and ends at once, and whose command is refused, has no state to go on with.
async fn what_begins_and_ends_at_once_cannot_take_a_refusal(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let refused = How::Work(Works::RefusedAtFirst);
    scene.begin("a", "1", act().sends("w", "no", refused).ends()).await;
    let found = parked(&engine, 1).await;
    assert!(found[0].error.contains("began and ended"), "{found:?}");
    scene.passes.pass("no");
    engine.retry_parked::<Script>("a").await.unwrap();
    settled(&engine).await;
    assert_eq!(scene.worked().await, ["no"]);
    assert_eq!(scene.state("a").await, None);
    engine.shutdown().await.unwrap();
}

/// A process manager that wants to know all.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, ProcessManager)]
#[process_manager(name = "historian", id = crate::script::SignalId, start = beginning, sends(crate::works::Make))]
struct Historian {
    events: u32,
}

#[process]
impl Historian {
    #[on(upsert, from = crate::script::Signals)]
    fn began(
        historian: Option<Self>,
        event: &crate::script::Began,
    ) -> (Self, Option<crate::works::Make>) {
        let events = historian.map_or(0, |historian| historian.events) + 1;
        let note = format!("history of {}", event.note);
        let work = event.note.as_str().into();
        let make = crate::works::Make { work, note, refused: act() };
        (Self { events }, Some(make))
    }

    #[rejected]
    fn not_made(&mut self, _: &crate::works::Make) {}
}

/// A process starts at the log's head, unless it says where; later it goes on where it was.
async fn a_process_starts_at_the_head_or_at_the_beginning(scene: Scene<impl Store>) {
    scene.begin("a", "old", act().works("of old")).await;
    let both = || scene.engine().register::<Historian>().start();
    let engine = both().await.unwrap();
    // Before anything else is done: what is dispatched once it has started is seen.
    scene.begin("a", "new", act().works("of new")).await;
    settled(&engine).await;
    engine.shutdown().await.unwrap();
    scene.begin("b", "later", act().works("of later")).await;
    let engine = both().await.unwrap();
    settled(&engine).await;
    let mut worked = scene.worked().await;
    worked.sort();
    let history = ["history of later", "history of new", "history of old"];
    assert_eq!(worked, [&history[..], &["of later", "of new"]].concat());
    engine.shutdown().await.unwrap();
}

crate::on_each_store!(
    what_comes_for_nobody_is_skipped_and_counted,
    an_event_that_would_begin_one_that_lives_parks,
    a_new_incarnation_has_new_keys,
    what_begins_and_ends_at_once_cannot_take_a_refusal,
    a_process_starts_at_the_head_or_at_the_beginning,
);
