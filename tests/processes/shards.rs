//! Shards: each has its share of the processes, and their number changes while they run.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use annals::prelude::*;
use annals::projection::ProjectionState;
use annals::shards::{Shard, Standing};
use annals::{
    Append, CheckpointChange, CheckpointId, Expected, NewEvent, Payload, ProcessEngineBuilder,
    StoreError, UnitOfWork, UnitOfWorkStore,
};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::scene::{PATIENCE, Scene, Store, act, parked, settled, status, until};
use crate::script::{How, Move, Script, mend};
use crate::watched::{Fate, Watch, Watched};
use crate::works::Works;

pub fn reader() -> CheckpointId {
    CheckpointId { name: "annals/process/script".into(), version: 1, shard: 0 }
}

async fn count(store: &impl Store) -> u32 {
    store.standing(&reader()).await.expect("it is read").layout.shards
}

/// One process for each shard, whatever their number up to seven.
pub fn ids() -> Vec<String> {
    let ids: Vec<String> = (0..40).map(|number| format!("p-{number}")).collect();
    for of in [2, 4, 7] {
        let shards: BTreeSet<u32> = ids.iter().map(|id| Shard::of_key(id, of).index()).collect();
        assert_eq!(shards.len(), of as usize, "each shard has one");
    }
    ids
}

async fn divided(scene: &Scene<impl Store>, shards: u32) -> ProcessEngine {
    // More turns than there are commands: one that is held keeps nobody else waiting.
    started(scene.engine().workers(64).shards::<Script>(shards), shards).await
}

async fn started(engine: ProcessEngineBuilder, shards: u32) -> ProcessEngine {
    let engine = engine.start().await.expect("the store is there");
    until(async || {
        let told = status(&engine).await;
        told.shards.len() == shards as usize && told.shards.iter().all(|shard| shard.runs_here)
    })
    .await;
    engine
}

pub fn sorted(mut notes: Vec<String>) -> Vec<String> {
    notes.sort();
    notes
}

async fn each_process_is_of_one_shard(scene: Scene<impl Store>) {
    let engine = divided(&scene, 4).await;
    let ids = ids();
    for id in &ids {
        scene.begin(id, id, act().works(id)).await;
        scene.tell(id, id, act().works(id)).await;
    }
    settled(&engine).await;
    let twice = ids.iter().chain(&ids).cloned().collect();
    assert_eq!(sorted(scene.worked().await), sorted(twice));
    let told = status(&engine).await;
    assert_eq!((told.begun, told.skipped, told.shards.len()), (40, 0, 4));
    assert_eq!(told.position, told.shards.iter().map(|shard| shard.position).min().unwrap());
    assert!(told.shards.iter().all(|shard| shard.runs_here), "{told:?}");
    engine.shutdown().await.unwrap();
    let head = scene.store.head().await.unwrap();
    let standing = scene.store.standing(&reader()).await.unwrap();
    assert_eq!(standing.reached, [Some(head); 4], "each has a checkpoint of its own");
    // What the builder says is the number at first.
    let engine = divided(&scene, 4).await;
    engine.shutdown().await.unwrap();
    let engine = started(scene.engine().shards::<Script>(9), 4).await;
    settled(&engine).await;
    engine.shutdown().await.unwrap();
}

/// A step with all that one can have to do: it is neither lost nor done twice.
async fn what_is_under_way_comes_to_its_end_before_the_number_changes(scene: Scene<impl Store>) {
    let engine = divided(&scene, 4).await;
    let ids = ids();
    for id in &ids {
        scene.begin(id, "1", act().held(id).works("after").at_deadline(act().works("late"))).await;
    }
    scene.passes.waits(&ids[0]).await;
    let changes = tokio::spawn({
        let engine = engine.clone();
        async move { engine.set_shards::<Script>(7).await }
    });
    // What comes meanwhile, the new shards take.
    for id in &ids {
        scene.tell(id, "2", act().works("told")).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(count(&scene.store).await, 4, "the commands are on their way");
    assert!(!changes.is_finished());
    for id in &ids {
        scene.passes.pass(id);
    }
    changes.await.unwrap().unwrap();
    assert_eq!(count(&scene.store).await, 7);
    settled(&engine).await;
    until(async || status(&engine).await.shards.len() == 7).await;
    engine.set_shards::<Script>(2).await.unwrap();
    scene.clock.advance(Duration::from_mins(11));
    settled(&engine).await;
    let worked = scene.worked().await;
    for note in ["after", "told", "late"] {
        assert_eq!(worked.iter().filter(|worked| *worked == note).count(), ids.len(), "{note}");
    }
    for id in &ids {
        assert_eq!(worked.iter().filter(|worked| *worked == id).count(), 1, "{id}");
        assert_eq!(scene.saw(id).await, ["began 1", "told 2", "first"]);
    }
    assert_eq!(status(&engine).await.shards.len(), 2);
    engine.shutdown().await.unwrap();
}

/// A deadline that was moved, cancelled or is due belongs to whoever has the process then.
async fn deadlines_move_with_their_processes(scene: Scene<impl Store>) {
    let engine = divided(&scene, 2).await;
    let ids = ids();
    for (number, id) in ids.iter().enumerate() {
        let act = act().at_deadline(act().works(id).ends());
        let act = match number % 3 {
            0 => act.moves(Move::CancelFirst),
            1 => act.moves(Move::First(Duration::from_mins(5))),
            _ => act,
        };
        scene.begin(id, "1", act).await;
    }
    settled(&engine).await;
    engine.set_shards::<Script>(7).await.unwrap();
    scene.clock.advance(Duration::from_mins(6));
    settled(&engine).await;
    assert_eq!(scene.worked().await.len(), 13);
    scene.clock.advance(Duration::from_mins(6));
    engine.set_shards::<Script>(4).await.unwrap();
    settled(&engine).await;
    let due = ids.iter().enumerate().filter(|(number, _)| number % 3 != 0);
    assert_eq!(sorted(scene.worked().await), sorted(due.map(|(_, id)| id.clone()).collect()));
    engine.shutdown().await.unwrap();
}

async fn what_waits_for_a_person_waits_with_the_new_shards(scene: Scene<impl Store>) {
    let engine = divided(&scene, 4).await;
    let ids = ids();
    let broken = format!("mended in {}", scene.name);
    for id in &ids {
        let bare = act().sends("w", id, How::Bare(Works::RefusedAtFirst));
        scene.begin(id, "1", bare.at_deadline(act().broken(&broken).works("late"))).await;
        scene.tell(id, "2", act().works("behind")).await;
    }
    parked(&engine, 40).await;
    engine.set_shards::<Script>(7).await.unwrap();
    let found = parked(&engine, 40).await;
    assert!(found.iter().all(|parked| parked.attempts == 1), "{found:?}");
    for id in &ids {
        scene.passes.pass(id);
        assert!(engine.retry_parked::<Script>(&**id).await.unwrap() > 0);
    }
    settled(&engine).await;
    scene.clock.advance(Duration::from_mins(11));
    parked(&engine, 40).await;
    engine.set_shards::<Script>(2).await.unwrap();
    assert!(engine.drop_parked::<Script>(&*ids[0]).await.unwrap() > 0);
    mend(&broken);
    for id in &ids[1..] {
        assert!(engine.retry_parked::<Script>(&**id).await.unwrap() > 0);
    }
    settled(&engine).await;
    let worked = scene.worked().await;
    let times = |note: &str| worked.iter().filter(|worked| *worked == note).count();
    assert_eq!((times("behind"), times("late")), (40, 39));
    assert!(ids.iter().all(|id| times(id) == 1));
    engine.shutdown().await.unwrap();
}

/// Nobody knows whose it is: all stop there, and one word has all of them pass over it, whoever runs them.
async fn an_event_that_cannot_be_read_stops_every_shard(scene: Scene<impl Store>) {
    let first = divided(&scene, 4).await;
    let second = scene.engine().start().await.unwrap();
    let event = NewEvent::new(uuid::Uuid::now_v7(), "Told", 1, Payload::new("{\"to\":7}"));
    let append = Append::new(StreamId::new("signals", "broken"), Expected::Any, vec![event]);
    let position = scene.store.append(vec![append]).await.unwrap()[0].position;
    let ids = ids();
    for id in &ids {
        scene.begin(id, "1", act().works(id)).await;
    }
    until(async || {
        let told = status(&first).await;
        told.shards.iter().all(|shard| shard.position.get() + 1 == position.get())
            && told.stopped_at == Some(position)
    })
    .await;
    assert_eq!(scene.worked().await, [""; 0]);
    assert_eq!(status(&first).await.state, ProjectionState::Stopped);
    // Whoever has a shard says so.
    let next = Position::from(position.get() + 1);
    until(async || {
        let both = [first.skip::<Script>(next).await, second.skip::<Script>(next).await];
        both.into_iter().any(|skipped| match skipped {
            Err(ProcessError::NotOwner { .. }) => false,
            Err(ProcessError::NothingToSkip { .. }) => true,
            other => panic!("{other:?}"),
        })
    })
    .await;
    // It stays with whoever has it then.
    first.set_shards::<Script>(7).await.unwrap();
    let stopped = async |engine: &ProcessEngine| status(engine).await.stopped_at == Some(position);
    until(async || stopped(&first).await || stopped(&second).await).await;
    until(async || {
        first.skip::<Script>(position).await.is_ok()
            || second.skip::<Script>(position).await.is_ok()
    })
    .await;
    until(async || first.settle(PATIENCE).await.is_ok() && second.settle(PATIENCE).await.is_ok())
        .await;
    assert_eq!(sorted(scene.worked().await), sorted(ids));
    first.shutdown().await.unwrap();
    until(async || status(&second).await.shards.iter().all(|shard| shard.runs_here)).await;
    settled(&second).await;
    assert_eq!(status(&second).await.stopped_at, None);
    second.shutdown().await.unwrap();
}

/// Whoever has died with commands on their way: the new shards send them, under their keys.
async fn what_a_dead_engine_left_the_new_shards_do(scene: Scene<impl Store>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    // A program of its own: nothing of it outlives it.
    let bus = crate::scene::bus(&scene.store, &scene.passes).build().unwrap();
    let engine = crate::scene::engine(&bus).clock(scene.clock.clone());
    let engine = engine.workers(64).shards::<Script>(4).lease(Duration::from_millis(300));
    let dead = runtime.spawn(engine.start()).await.unwrap().unwrap();
    let ids = ids();
    for id in &ids {
        scene.begin(id, "1", act().held(id).works("after")).await;
    }
    scene.passes.waits(&ids[0]).await;
    runtime.shutdown_background();
    drop(dead);
    let other = scene.engine().start().await.unwrap();
    for id in &ids {
        scene.passes.pass(id);
    }
    other.set_shards::<Script>(7).await.unwrap();
    settled(&other).await;
    let worked = scene.worked().await;
    let times = |note: &str| worked.iter().filter(|worked| *worked == note).count();
    assert_eq!(times("after"), 40);
    assert!(ids.iter().all(|id| times(id) == 1), "{worked:?}");
    other.shutdown().await.unwrap();
}

/// Each engine has its share; one that stops leaves its own to the others at once, one that comes gets some.
async fn engines_share_the_shards(scene: Scene<impl Store>) {
    let here = async |engine: &ProcessEngine| {
        status(engine).await.shards.iter().filter(|shard| shard.runs_here).count()
    };
    let first = divided(&scene, 4).await;
    assert_eq!(here(&first).await, 4);
    scene.begin("a", "1", act().works("one")).await;
    let second = scene.engine().name("second").start().await.unwrap();
    until(async || here(&first).await == 2 && here(&second).await == 2).await;
    let told = status(&first).await;
    let owners: BTreeSet<&str> =
        told.shards.iter().filter_map(|shard| shard.owner.as_deref()).collect();
    assert_eq!(owners.len(), 2, "{told:?}");
    assert!(owners.contains("second") && told.owner.is_some_and(|all| all.contains(", second")));
    for id in ids() {
        scene.begin(&id, "2", act().works(&id)).await;
    }
    settled(&first).await;
    settled(&second).await;
    assert_eq!(scene.worked().await.len(), 41);
    let third = scene.engine().start().await.unwrap();
    first.shutdown().await.unwrap();
    until(async || here(&second).await == 2 && here(&third).await == 2).await;
    third.set_shards::<Script>(7).await.unwrap();
    until(async || here(&second).await + here(&third).await == 7).await;
    assert!(here(&second).await >= 3 && here(&third).await >= 3);
    second.shutdown().await.unwrap();
    until(async || here(&third).await == 7).await;
    scene.tell("a", "3", act().works("three")).await;
    settled(&third).await;
    assert_eq!(scene.worked().await.len(), 42);
    third.shutdown().await.unwrap();
}

async fn the_last_word_on_the_number_holds(scene: Scene<impl Store>) {
    let engine = divided(&scene, 4).await;
    scene.begin("a", "1", act().held("a")).await;
    scene.passes.waits("a").await;
    let mut words = Vec::new();
    let requests = CheckpointId { name: "annals/requests".into(), version: 1, shard: 0 };
    for shards in [7, 3, 7, 5] {
        let engine = engine.clone();
        words.push(tokio::spawn(async move { engine.set_shards::<Script>(shards).await }));
        let asked = async || scene.store.parked(&requests, None).await.unwrap().len();
        until(async || asked().await == words.len()).await;
    }
    scene.passes.pass("a");
    let mut told = Vec::new();
    for word in words {
        told.push(word.await.unwrap());
    }
    assert_eq!(count(&scene.store).await, 5);
    // Whoever was outvoted hears of it.
    told.pop().unwrap().unwrap();
    for (told, wished) in told.into_iter().zip([7, 3, 7]) {
        let Err(ProcessError::OtherShards { process, wished: was, shards }) = told else {
            panic!("{told:?}");
        };
        assert_eq!((process, was, shards), ("script", wished, 5));
    }
    for shards in [0, 1_025] {
        let refused = engine.set_shards::<Script>(shards).await.unwrap_err().to_string();
        assert!(refused.contains("there are 1 to 1024"), "{refused}");
    }
    settled(&engine).await;
    engine.shutdown().await.unwrap();
    let refused = scene.engine().shards::<Script>(0);
    let other = Scene::new(MemoryStore::new());
    drop(refused);
    let refused = other.engine().shards::<Script>(0).start().await.unwrap_err().to_string();
    assert!(refused.contains("there are 1 to 1024"), "{refused}");
}

/// A store that has the new shards begin at the log's end, and not where their processes are.
struct Ahead;

impl Watch for Ahead {
    fn fate(&self, _: &'static str, _: Option<&UnitOfWork>) -> Fate {
        Fate::Passes
    }

    fn divided<'a>(
        &'a self,
        store: &'a dyn UnitOfWorkStore,
        reader: &'a CheckpointId,
        standing: &'a Standing,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let position = store.head().await?;
            for shard in (0..standing.layout.shards).filter(|_| position > Position::START) {
                let id = CheckpointId { shard, ..reader.clone() };
                let fence = store.claim_lease(&id, "ahead", Duration::from_secs(1)).await?;
                let fence = fence.expect("it was given up");
                let change = CheckpointChange { fence: fence.clone(), position };
                store.write_rows(Vec::new(), change).await.expect("it is the owner");
                store.release_lease(&fence).await?;
            }
            Ok(())
        }
        .boxed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_that_begin_further_on_are_found() {
    let scene = Scene::new(Watched::new(MemoryStore::new(), Ahead));
    let found = what_is_under_way_comes_to_its_end_before_the_number_changes(scene);
    assert!(AssertUnwindSafe(found).catch_unwind().await.is_err(), "it was not found");
}

crate::on_each_store!(
    each_process_is_of_one_shard,
    what_is_under_way_comes_to_its_end_before_the_number_changes,
    deadlines_move_with_their_processes,
    what_waits_for_a_person_waits_with_the_new_shards,
    an_event_that_cannot_be_read_stops_every_shard,
    what_a_dead_engine_left_the_new_shards_do,
    engines_share_the_shards,
    the_last_word_on_the_number_holds,
);
