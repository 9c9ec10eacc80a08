//! Processes that many events wait for: one that is slow, stands still or waits for a person holds up no other, and misses
//! nothing.

use std::ops::Range;
use std::time::Duration;

use annals::prelude::*;
use annals::process::{ParkedCause, ProcessStatus};
use annals::{Append, Event, Expected, NewEvent, Payload, ProcessEngineBuilder, ReadStream};
use serde::{Deserialize, Serialize};

use crate::scene::{PATIENCE, Scene, Store, act, json_of, parked, settled, until};
use crate::script::{Began, Script, ScriptId, Told, is_mended, mend};
use crate::works::{Work, Works};

/// It counts what it is told, and whether that came in its order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "tally", id = ScriptId, sends(Work))]
struct Tally {
    seen: u64,
    out_of_order: u64,
}

fn work(note: &str, how: Works) -> Work {
    Work { work: note.into(), note: note.to_owned(), how, refused: act() }
}

#[process]
impl Tally {
    #[on(key = |event| event.to.clone())]
    fn began(event: &Began) -> (Self, Option<Work>) {
        let held = (event.note == "held").then(|| work("held", Works::Held));
        (Self::default(), held)
    }

    #[on(key = |event| event.to.clone())]
    fn told(&mut self, event: &Told) -> Option<Work> {
        assert!(event.act.broken.as_deref().is_none_or(is_mended), "the step is broken");
        let Ok(number) = event.note.parse::<u64>() else {
            return Some(work(&event.note, Works::Done));
        };
        self.out_of_order += u64::from(number != self.seen);
        self.seen += 1;
        None
    }
}

fn engine(scene: &Scene<impl Store>) -> ProcessEngineBuilder {
    let engine = ProcessEngine::builder(scene.bus.clone()).register::<Tally>();
    engine.polling(Duration::from_millis(20)).lease(Duration::from_secs(2))
}

async fn status(engine: &ProcessEngine) -> ProcessStatus {
    engine.status().await.expect("the store is there").of::<Tally>().expect("it runs").clone()
}

/// Tells a process many things, which are numbered.
async fn tell_many(scene: &Scene<impl Store>, id: &str, mut numbers: Range<u64>) {
    while !numbers.is_empty() {
        let told = numbers.by_ref().take(1_000).map(|number| {
            let told = Told { to: vec![id.into()], note: number.to_string(), act: act() };
            let data = Payload::new(serde_json::to_string(&told).unwrap());
            NewEvent::new(uuid::Uuid::now_v7(), Told::NAME, 1, data)
        });
        let stream = StreamId::new("signals", "many");
        let append = Append::new(stream, Expected::Any, told.collect());
        scene.store.append(vec![append]).await.expect("it is stored");
    }
}

/// What a process has counted.
async fn tally(scene: &Scene<impl Store>, id: &str) -> Tally {
    let stream = StreamId::new("annals/process/tally", id);
    let last = ReadStream::new(stream).backwards().limit(1);
    let page = scene.store.stream_page(&last).await.expect("it is read");
    let step = page.events.first().map(json_of);
    step.map_or_else(Tally::default, |step| serde_json::from_value(step["state"].clone()).unwrap())
}

/// One stands still with many events before it; others go on, before and after another engine has taken over; and it takes
/// all of them in their order.
async fn one_that_stands_still_holds_up_no_other(scene: Scene<impl Store>, many: u64) {
    let first = engine(&scene).start().await.unwrap();
    scene.begin("hot", "held", act()).await;
    scene.passes.waits("held").await;
    tell_many(&scene, "hot", 0..many).await;
    scene.begin("b", "fine", act()).await;
    scene.tell("b", "while it stands", act()).await;
    scene.has_worked("while it stands").await;
    until(async || status(&first).await.waiting as u64 == many).await;
    drop(first);
    let second = engine(&scene).start().await.unwrap();
    scene.tell("b", "still", act()).await;
    scene.has_worked("still").await;
    scene.passes.pass("held");
    until(async || tally(&scene, "hot").await.seen > many / 10).await;
    scene.tell("b", "while it goes on", act()).await;
    scene.has_worked("while it goes on").await;
    assert!(tally(&scene, "hot").await.seen < many, "it was to be slower than that");
    // What comes now comes last.
    tell_many(&scene, "hot", many..many + 10).await;
    second.settle(6 * PATIENCE).await.unwrap();
    assert_eq!(tally(&scene, "hot").await, Tally { seen: many + 10, out_of_order: 0 });
    let told = status(&second).await;
    assert_eq!((told.waiting, told.events_behind, told.parked), (0, 0, 0));
    second.shutdown().await.unwrap();
}

/// One waits for a person, and much comes for it meanwhile.
async fn one_that_waits_for_a_person_holds_up_no_other(scene: Scene<impl Store>, many: u64) {
    let running = engine(&scene).start().await.unwrap();
    let key = format!("tally of {}", scene.name);
    scene.begin("hot", "fine", act()).await;
    scene.tell("hot", "broken", act().broken(&key)).await;
    tell_many(&scene, "hot", 0..many).await;
    scene.begin("b", "fine", act()).await;
    scene.tell("b", "meanwhile", act()).await;
    scene.has_worked("meanwhile").await;
    assert_eq!(parked(&running, 1).await[0].waiting, many);
    // It waits in the store: all of the log is done.
    until(async || status(&running).await.events_behind == 0).await;
    running.shutdown().await.unwrap();
    mend(&key);
    let running = engine(&scene).start().await.unwrap();
    assert_eq!(running.retry_parked::<Tally>("hot").await.unwrap(), many + 1);
    tell_many(&scene, "hot", many..many + 10).await;
    running.settle(6 * PATIENCE).await.unwrap();
    assert_eq!(tally(&scene, "hot").await, Tally { seen: many + 10, out_of_order: 0 });
    running.shutdown().await.unwrap();
}

/// After a crash, what a process took before it had to wait is read again, and is nothing that waits.
async fn what_was_taken_before_does_not_wait(scene: Scene<impl Store>) {
    let running = scene.started().await;
    // A slow one keeps the low water down.
    scene.begin("slow", "0", act().held("slow")).await;
    scene.tell("slow", "0", act()).await;
    scene.begin("a", "1", act()).await;
    scene.tell("a", "2", act()).await;
    let broken = scene.tell("a", "3", act().broken("for ever")).await;
    scene.tell("a", "4", act()).await;
    until(async || running.parked().await.unwrap().iter().any(|parked| parked.waiting == 1)).await;
    drop(running);
    let running = scene.started().await;
    scene.begin("b", "5", act().works("five")).await;
    scene.has_worked("five").await;
    let found = running.parked().await.unwrap();
    let ParkedCause::Event { position, .. } = &found[0].cause else { panic!("{found:?}") };
    assert_eq!((*position, found[0].waiting), (broken.position, 1), "{found:?}");
    assert_eq!(running.drop_parked::<Script>("a").await.unwrap(), 2);
    scene.passes.pass("slow");
    settled(&running).await;
    assert_eq!(scene.saw("a").await, ["began 1", "told 2"]);
    running.shutdown().await.unwrap();
}

crate::on_each_store!(what_was_taken_before_does_not_wait);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_one_that_stands_still_holds_up_no_other() {
    one_that_stands_still_holds_up_no_other(Scene::new(MemoryStore::new()), 20_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_one_that_stands_still_holds_up_no_other() {
    let (store, _database) = crate::scene::postgres().await;
    one_that_stands_still_holds_up_no_other(Scene::new(store), 2_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_one_that_waits_for_a_person_holds_up_no_other() {
    one_that_waits_for_a_person_holds_up_no_other(Scene::new(MemoryStore::new()), 3_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_one_that_waits_for_a_person_holds_up_no_other() {
    let (store, _database) = crate::scene::postgres().await;
    one_that_waits_for_a_person_holds_up_no_other(Scene::new(store), 700).await;
}
