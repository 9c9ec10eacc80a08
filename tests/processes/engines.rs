//! Engines: several at once, what they tell, where they stop, and what they refuse.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use annals::prelude::*;
use annals::process::Process;
use annals::projection::{Level, ProjectionState};
use annals::{
    Append, CheckpointChange, CheckpointId, Expected, NewEvent, Payload, ProcessEngineBuilder,
    Stores, UnitOfWork,
};
use annals_testing::conformance::faulty::{Fault, Faulty};
use serde::{Deserialize, Serialize};

use crate::scene::{PATIENCE, Scene, Store, act, bus, engine, parked, settled, status, until};
use crate::script::{How, Kind, Script, ScriptId};
use crate::watched::{Fate, Watch, Watched};
use crate::works::{Make, Works};

async fn the_lease_passes_on(scene: Scene<impl Store>) {
    let first = scene.engine().name("first").start().await.unwrap();
    until(async || status(&first).await.owner.as_deref() == Some("first")).await;
    let second = scene.engine().name("second").start().await.unwrap();
    scene.begin("a", "1", act().works("one")).await;
    // Who is not the owner can tell when all is done, too.
    settled(&second).await;
    assert_eq!(scene.worked().await, ["one"]);
    let told = status(&second).await;
    assert_eq!((told.owner.as_deref(), told.runs_here), (Some("first"), false));
    let refused = second.retry_parked::<Script>("a").await;
    assert!(matches!(refused, Err(ProcessError::NotOwner { .. })), "{refused:?}");
    first.shutdown().await.unwrap();
    until(async || status(&second).await.owner.as_deref() == Some("second")).await;
    scene.tell("a", "2", act().works("two")).await;
    settled(&second).await;
    assert_eq!(scene.worked().await, ["one", "two"]);
    second.shutdown().await.unwrap();
}

async fn settle_tells_of_another_owner(scene: Scene<impl Store>) {
    let owner = scene.started().await;
    let other = scene.engine().start().await.unwrap();
    scene.begin("a", "1", act().held("one")).await;
    scene.has_seen("a", "began 1").await;
    let late = other.settle(Duration::from_millis(100)).await;
    assert!(matches!(late, Err(ProcessError::Late { .. })), "{late:?}");
    scene.passes.pass("one");
    settled(&other).await;
    // A command, an event and a deadline that wait for a person are not under way.
    scene.begin("b", "2", act().sends("w", "no", How::Bare(Works::Refused))).await;
    scene.begin("c", "3", act().broken("for ever")).await;
    scene.begin("d", "4", act().at_deadline(act().broken("for ever"))).await;
    scene.begin("e", "5", act().at_deadline(act().works("late"))).await;
    parked(&owner, 2).await;
    scene.clock.advance(Duration::from_mins(11));
    parked(&owner, 3).await;
    parked(&other, 3).await;
    assert_eq!(scene.worked().await, ["one", "late"]);
    other.shutdown().await.unwrap();
    owner.shutdown().await.unwrap();
}

async fn the_status_tells_numbers(scene: Scene<impl Store>) {
    let engine = scene.engine().workers(1).name("owner").start().await.unwrap();
    scene.begin("a", "1", act().held("one").works("two")).await;
    scene.tell("a", "2", act()).await;
    scene.tell("nobody", "3", act()).await;
    scene.begin("b", "4", act()).await;
    scene.tell("b", "4", act().ends()).await;
    scene.begin("c", "5", act().broken("for ever")).await;
    scene.clock.set(Timestamp::now() + Duration::from_mins(3));
    until(async || {
        let status = status(&engine).await;
        status.parked == 1 && status.unsent == 2 && status.done == 1
    })
    .await;
    let told = status(&engine).await;
    assert_eq!((told.begun, told.done, told.skipped, told.waiting), (2, 1, 1, 1));
    assert!(told.oldest_unsent >= Duration::from_mins(2), "{told:?}");
    assert!(told.level > Level::Normal, "{told:?}");
    assert!(told.events_behind > 0 && told.position < told.head, "{told:?}");
    assert_eq!(told.owner.as_deref(), Some("owner"));
    assert_eq!((told.name, told.state), ("script", ProjectionState::Live));
    assert!(told.last_error.is_some_and(|error| error.contains("the step is broken")));
    scene.passes.pass("one");
    parked(&engine, 1).await;
    until(async || status(&engine).await.unsent == 0).await;
    assert_eq!(engine.status().await.unwrap().processes.len(), 1);
    engine.shutdown().await.unwrap();
}

/// An event of the scripts that cannot be read.
async fn unreadable(scene: &Scene<impl Store>) -> Position {
    let event = NewEvent::new(uuid::Uuid::now_v7(), "Told", 1, Payload::new("{\"to\":7}"));
    let stream = StreamId::new("signals", "broken");
    let append = Append::new(stream, Expected::Any, vec![event]);
    scene.store.append(vec![append]).await.unwrap()[0].position
}

async fn an_event_that_cannot_be_read_stops_and_names_itself(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    scene.begin("a", "1", act().held("one")).await;
    scene.tell("a", "2", act().works("two")).await;
    let position = unreadable(&scene).await;
    scene.tell("a", "3", act().works("three")).await;
    until(async || status(&engine).await.state == ProjectionState::Stopped).await;
    let stopped = engine.settle(PATIENCE).await;
    let Err(ProcessError::Stopped { process: "script", reason }) = stopped else {
        panic!("{stopped:?}");
    };
    let at = format!("event Told at position {position} of stream `signals-broken`");
    assert!(reason.starts_with(&at), "{reason}");
    assert_eq!(status(&engine).await.stopped_at, Some(position));
    // What came before goes on.
    scene.passes.pass("one");
    scene.has_worked("two").await;
    let nothing = engine.skip::<Script>(Position::from(position.get() + 1)).await;
    assert!(matches!(nothing, Err(ProcessError::NothingToSkip { .. })), "{nothing:?}");
    // It is not mended yet.
    engine.resume::<Script>().await.unwrap();
    until(async || status(&engine).await.state == ProjectionState::Stopped).await;
    engine.skip::<Script>(position).await.unwrap();
    settled(&engine).await;
    assert_eq!(scene.worked().await, ["one", "two", "three"]);
    assert_eq!(status(&engine).await.stopped_at, None);
    engine.shutdown().await.unwrap();
    // It has passed it for good.
    let engine = scene.started().await;
    settled(&engine).await;
    engine.shutdown().await.unwrap();
}

/// An event for an id under which nothing can be kept, not even that it waits, stops it, too.
async fn an_event_for_an_id_that_no_process_can_have_stops(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    for id in ["x".repeat(5_000).as_str(), "", "with a \0"] {
        let event = scene.begin(id, "1", act().works("never")).await;
        until(async || status(&engine).await.state == ProjectionState::Stopped).await;
        let error = status(&engine).await.last_error.unwrap();
        assert!(error.contains("an id that no process can have"), "{error}");
        engine.skip::<Script>(event.position).await.unwrap();
        scene.begin("fine", "2", act().works("one").ends()).await;
        settled(&engine).await;
    }
    assert_eq!(scene.worked().await, ["one", "one", "one"]);
    engine.shutdown().await.unwrap();
}

/// A store that fails once.
#[derive(Default)]
struct Once(AtomicBool);

impl Watch for Once {
    fn fate(&self, call: &'static str, _: Option<&UnitOfWork>) -> Fate {
        match call {
            "commit" if self.0.swap(false, Ordering::SeqCst) => Fate::FailsBefore,
            _ => Fate::Passes,
        }
    }
}

async fn what_came_before_an_unreadable_event_outlives_an_outage(scene: Scene<impl Store>) {
    let store = Watched::new(scene.store.clone(), Once::default());
    let bus = bus(&store, &scene.passes).build().unwrap();
    let engine = engine(&bus).start().await.unwrap();
    scene.begin("a", "1", act().held("one")).await;
    scene.tell("a", "2", act().works("two")).await;
    let position = unreadable(&scene).await;
    scene.tell("a", "3", act().works("three")).await;
    scene.passes.waits("one").await;
    until(async || status(&engine).await.state == ProjectionState::Stopped).await;
    // Its owner begins anew, and what was read is to be read again.
    store.watch.0.store(true, Ordering::SeqCst);
    scene.passes.pass("one");
    scene.has_worked("two").await;
    until(async || engine.skip::<Script>(position).await.is_ok()).await;
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1", "told 2", "told 3"]);
    engine.shutdown().await.unwrap();
}

/// A store at which a program cannot renew its lease for a while.
#[derive(Default)]
struct Unrenewed {
    is_so: AtomicBool,
    renewed: AtomicU32,
}

impl Watch for Unrenewed {
    fn fate(&self, call: &'static str, _: Option<&UnitOfWork>) -> Fate {
        if call != "claim_lease" {
            return Fate::Passes;
        }
        if self.is_so.load(Ordering::SeqCst) {
            return Fate::FailsBefore;
        }
        self.renewed.fetch_add(1, Ordering::SeqCst);
        Fate::Passes
    }
}

/// Once its lease has run out, what an owner knows is old, even if the checkpoint is where it was.
async fn an_owner_whose_lease_ran_out_begins_with_what_the_store_keeps(scene: Scene<impl Store>) {
    let store = Watched::new(scene.store.clone(), Unrenewed::default());
    let watched = bus(&store, &scene.passes).build().unwrap();
    let lease = Duration::from_millis(400);
    let before = scene.started().await;
    scene.begin("a", "1", act()).await;
    scene.tell("a", "2", act().broken("for ever")).await;
    parked(&before, 1).await;
    before.shutdown().await.unwrap();
    let reader = CheckpointId { name: "annals/process/script".into(), version: 1, shard: 0 };
    let head = Some(scene.store.head().await.unwrap());
    assert_eq!(scene.store.checkpoint(&reader).await.unwrap(), head);
    let first = engine(&watched).lease(lease).start().await.unwrap();
    until(async || status(&first).await.owner.is_some()).await;
    store.watch.is_so.store(true, Ordering::SeqCst);
    let second = engine(&scene.bus).lease(PATIENCE).start().await.unwrap();
    let attempts = async || second.parked().await.unwrap()[0].attempts;
    until(async || second.retry_parked::<Script>("a").await.is_ok()).await;
    until(async || attempts().await == 2).await;
    second.shutdown().await.unwrap();
    assert_eq!(scene.store.checkpoint(&reader).await.unwrap(), head);
    store.watch.renewed.store(0, Ordering::SeqCst);
    store.watch.is_so.store(false, Ordering::SeqCst);
    // It was told that it is no owner, has become it anew, and stays it.
    until(async || store.watch.renewed.load(Ordering::SeqCst) > 3).await;
    until(async || first.retry_parked::<Script>("a").await.is_ok()).await;
    until(async || first.parked().await.unwrap()[0].attempts == 3).await;
    first.shutdown().await.unwrap();
}

/// Whoever was to say where a process starts has died: it starts where the next one began, not at the log's beginning.
async fn a_start_outlives_who_was_to_write_it(scene: Scene<impl Store>) {
    scene.begin("a", "of old", act().works("old")).await;
    let reader = CheckpointId { name: "annals/process/script".into(), version: 1, shard: 0 };
    let lifetime = Duration::from_millis(300);
    scene.store.claim_lease(&reader, "who died", lifetime).await.unwrap().expect("it is free");
    let engine = scene.engine().start().await.unwrap();
    scene.begin("b", "new", act().works("new")).await;
    until(async || status(&engine).await.runs_here).await;
    settled(&engine).await;
    assert_eq!(scene.worked().await, ["new"]);
    engine.shutdown().await.unwrap();
}

/// Two engines of one name begin at once: neither writes in the other's stead.
async fn engines_of_one_name_begin_apart(scene: Scene<impl Store>) {
    let reader = CheckpointId { name: "annals/process/script".into(), version: 1, shard: 0 };
    let fence = scene.store.claim_lease(&reader, "one name", PATIENCE).await.unwrap();
    let fence = fence.expect("it is free");
    let position = scene.store.head().await.unwrap();
    scene.begin("a", "1", act().works("one")).await;
    let engine = scene.engine().name("one name").start().await.unwrap();
    let change = CheckpointChange { fence: fence.clone(), position };
    scene.store.write_rows(Vec::new(), change).await.unwrap();
    scene.store.release_lease(&fence).await.unwrap();
    scene.has_worked("one").await;
    settled(&engine).await;
    engine.shutdown().await.unwrap();
}

/// What is asked right after the start waits for the lease, as long as one that nobody renews lasts.
async fn what_is_asked_at_once_is_done(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    scene.begin("a", "1", act().sends("w", "at first", How::Bare(Works::RefusedAtFirst))).await;
    parked(&engine, 1).await;
    scene.passes.pass("at first");
    engine.shutdown().await.unwrap();
    let reader = CheckpointId { name: "annals/process/script".into(), version: 1, shard: 0 };
    let lifetime = Duration::from_millis(500);
    scene.store.claim_lease(&reader, "who died", lifetime).await.unwrap().expect("it is free");
    let engine = scene.engine().start().await.unwrap();
    assert_eq!(engine.retry_parked::<Script>("a").await.unwrap(), 1);
    settled(&engine).await;
    assert_eq!(scene.worked().await, ["at first"]);
    engine.shutdown().await.unwrap();
    let engine = scene.engine().start().await.unwrap();
    engine.resume::<Script>().await.unwrap();
    engine.shutdown().await.unwrap();
}

/// Has the name of the scripts.
#[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "script", id = ScriptId, sends(Make))]
struct Impostor;

#[process]
impl Impostor {
    #[on(key = |event| event.to.clone())]
    fn began(_: &crate::script::Began) -> Self {
        Self
    }
}

async fn what_does_not_fit_is_refused_at_the_start(scene: Scene<impl Store>) {
    let refused = |engine: ProcessEngineBuilder| async {
        engine.start().await.expect_err("it does not fit").to_string()
    };
    let twice = refused(scene.engine().register::<Impostor>()).await;
    assert!(twice.contains("Impostor") && twice.contains("Script"), "{twice}");
    assert_eq!(Impostor::NAME, Script::NAME);
    let events = Faulty::new(scene.store.clone(), NoFault);
    let only = CommandBus::builder(Stores::new(events, scene.store.clone())).build().unwrap();
    let only = refused(ProcessEngine::builder(only).register::<Script>()).await;
    assert!(only.contains("events only"), "{only}");
    let nothing = ProcessEngine::builder(scene.bus.clone()).start().await.unwrap();
    settled(&nothing).await;
    let unknown = nothing.retry_parked::<Script>("a").await;
    assert!(matches!(unknown, Err(ProcessError::NotRegistered { process: "script" })));
    nothing.shutdown().await.unwrap();
    let steps = format!("{:?}", Script::steps());
    assert!(steps.contains("Began"), "{steps}");
}

struct NoFault;

impl<S: Sync> Fault<S> for NoFault {}

/// A slow handler outlasts a shutdown's patience for nobody: what is not answered is sent again.
async fn many_commands_share_the_turns(scene: Scene<impl Store>) {
    let engine = scene.engine().workers(1).start().await.unwrap();
    scene.begin("a", "1", act().held("one")).await;
    scene.passes.waits("one").await;
    let to = ["b", "c", "d"];
    scene.signal(Kind::Begin, &to, "2", act().works("two")).await;
    for id in to {
        scene.has_seen(id, "began 2").await;
    }
    assert_eq!(scene.worked().await, [""; 0], "there is one turn, and `a` has it");
    scene.passes.pass("one");
    settled(&engine).await;
    assert_eq!(scene.worked().await, ["one", "two", "two", "two"]);
    engine.shutdown().await.unwrap();
}

crate::on_each_store!(
    the_lease_passes_on,
    settle_tells_of_another_owner,
    the_status_tells_numbers,
    an_event_that_cannot_be_read_stops_and_names_itself,
    an_event_for_an_id_that_no_process_can_have_stops,
    what_came_before_an_unreadable_event_outlives_an_outage,
    an_owner_whose_lease_ran_out_begins_with_what_the_store_keeps,
    a_start_outlives_who_was_to_write_it,
    engines_of_one_name_begin_apart,
    what_is_asked_at_once_is_done,
    what_does_not_fit_is_refused_at_the_start,
    many_commands_share_the_turns,
);
