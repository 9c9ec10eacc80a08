//! Releases of a process manager that run beside each other, of which one cannot tell whose an event is.

use annals::prelude::*;
use annals::process::ProcessStatus;
use serde::{Deserialize, Serialize};

use crate::scene::{Scene, Store, act, quick, settled, until};
use crate::script::{Began, ScriptId, Told};
use crate::shards::{ids, sorted};
use crate::works::{Make, WorkId};

macro_rules! release {
    ($name:ident, $of_told:path) => {
        mod $name {
            use super::*;

            #[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
            #[process_manager(name = "relay", id = ScriptId, sends(Make))]
            pub struct Relay;

            #[process]
            impl Relay {
                #[on(key = |event| event.to.clone())]
                fn began(event: &Began) -> (Self, Make) {
                    (Self, made(&event.note))
                }

                #[on(key = |event| $of_told(event))]
                fn told(&mut self, event: &Told) -> Make {
                    made(&event.note)
                }
            }
        }
    };
}

release!(old, of_old);
release!(new, of_new);

fn made(note: &str) -> Make {
    Make { work: WorkId::from(note), note: note.to_owned(), refused: act() }
}

/// The older release stumbles over what it does not know.
fn of_old(event: &Told) -> Vec<ScriptId> {
    assert!(!event.note.starts_with("new"), "this release knows nothing of `{}`", event.note);
    event.to.clone()
}

fn of_new(event: &Told) -> Vec<ScriptId> {
    event.to.clone()
}

async fn shown(engine: &ProcessEngine) -> ProcessStatus {
    engine.status().await.expect("the store is there").processes.remove(0)
}

async fn here(engine: &ProcessEngine) -> usize {
    shown(engine).await.shards.iter().filter(|shard| shard.runs_here).count()
}

async fn a_newer_release_takes_over_what_an_older_one_cannot_read(scene: Scene<impl Store>) {
    let ids = ids();
    let mut wanted = Vec::new();
    for shards in [1, 4] {
        let first = ProcessEngine::builder(scene.bus.clone()).register::<old::Relay>();
        let first = quick(first).shards::<old::Relay>(1).start().await.unwrap();
        first.set_shards::<old::Relay>(shards).await.unwrap();
        until(async || here(&first).await == shards as usize).await;
        let second = ProcessEngine::builder(scene.bus.clone()).register::<new::Relay>();
        let second = quick(second).start().await.unwrap();
        if shards > 1 {
            until(async || here(&first).await == 2 && here(&second).await == 2).await;
        }
        let note = |what: &str, id: &str| format!("{what} {id} of {shards}");
        for id in &ids {
            let of_this = format!("{id} of {shards}");
            scene.begin(&of_this, &note("begin", id), act()).await;
        }
        let last = scene.tell(&format!("{} of {shards}", ids[0]), &note("new", "x"), act()).await;
        for id in &ids {
            scene.tell(&format!("{id} of {shards}"), &note("told", id), act()).await;
        }
        for id in &ids {
            wanted.extend([note("begin", id), note("told", id)]);
        }
        wanted.push(note("new", "x"));
        // Whoever cannot read it stands in nobody's way.
        until(async || scene.worked().await.len() == wanted.len()).await;
        assert_eq!(sorted(scene.worked().await), sorted(wanted.clone()));
        // The older one goes on with what it can read, once that is passed.
        until(async || shown(&first).await.stopped_at.is_none()).await;
        settled(&second).await;
        if shards > 1 {
            until(async || here(&first).await == 2 && here(&second).await == 2).await;
        }
        let now = shown(&second).await;
        assert!(now.position >= last.position, "{now:?}");
        second.shutdown().await.unwrap();
        until(async || here(&first).await == shards as usize).await;
        first.shutdown().await.unwrap();
    }
}

/// What a person asks of one that has stopped, and left its shard to others, it does.
async fn one_that_has_stopped_still_does_what_it_is_asked(scene: Scene<impl Store>) {
    let engine = ProcessEngine::builder(scene.bus.clone()).register::<old::Relay>();
    let engine = quick(engine).shards::<old::Relay>(2).start().await.unwrap();
    until(async || here(&engine).await == 2).await;
    for id in ["a", "b", "c"] {
        scene.begin(id, &format!("begin {id}"), act()).await;
    }
    // A beginning of one that lives waits for a person.
    scene.begin("a", "again", act()).await;
    let bad = scene.tell("b", "new", act()).await;
    let parked = async || engine.parked().await.unwrap();
    until(async || {
        let told = shown(&engine).await;
        told.stopped_at == Some(bad.position) && !told.runs_here
    })
    .await;
    assert_eq!(parked().await.len(), 1);
    assert_eq!(engine.retry_parked::<old::Relay>("a").await.unwrap(), 1);
    until(async || parked().await.len() == 1 && !shown(&engine).await.runs_here).await;
    assert_eq!(engine.drop_parked::<old::Relay>("a").await.unwrap(), 1);
    assert_eq!(parked().await, []);
    until(async || !shown(&engine).await.runs_here).await;
    let wrong = engine.skip::<old::Relay>(Position::from(bad.position.get() + 1)).await;
    assert!(matches!(wrong, Err(ProcessError::NothingToSkip { .. })), "{wrong:?}");
    engine.skip::<old::Relay>(bad.position).await.unwrap();
    scene.tell("c", "last", act()).await;
    scene.has_worked("last").await;
    until(async || shown(&engine).await.stopped_at.is_none()).await;
    engine.shutdown().await.unwrap();
}

crate::on_each_store!(
    a_newer_release_takes_over_what_an_older_one_cannot_read,
    one_that_has_stopped_still_does_what_it_is_asked,
);
