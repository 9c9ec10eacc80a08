//! Commands go out in their order, and the next event waits for the answers.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use annals::{Append, Expected, MemoryStore, RetryPolicy, UnitOfWork};

use crate::scene::{Scene, Store, act, bus, engine, settled, status};
use crate::script::{How, Kind};
use crate::watched::{Fate, Watch, Watched};
use crate::works::Works;

async fn commands_go_out_in_their_order(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    scene.begin("a", "1", act().held("one").works("two").held("three").works("four")).await;
    scene.has_seen("a", "began 1").await;
    // Another process is not held up.
    scene.begin("b", "2", act().works("other")).await;
    scene.has_worked("other").await;
    assert_eq!(scene.worked().await, ["other"]);
    scene.passes.pass("one");
    scene.has_worked("two").await;
    assert_eq!(scene.worked().await, ["other", "one", "two"]);
    scene.passes.pass("three");
    settled(&engine).await;
    assert_eq!(scene.worked().await, ["other", "one", "two", "three", "four"]);
    engine.shutdown().await.unwrap();
}

async fn the_next_event_waits_for_the_answers(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    scene.begin("a", "1", act().held("one")).await;
    scene.has_seen("a", "began 1").await;
    scene.tell("a", "2", act().works("two")).await;
    scene.begin("b", "3", act()).await;
    scene.has_seen("b", "began 3").await;
    assert_eq!(scene.saw("a").await, ["began 1"]);
    scene.passes.pass("one");
    settled(&engine).await;
    assert_eq!(scene.saw("a").await, ["began 1", "told 2"]);
    assert_eq!(scene.worked().await, ["one", "two"]);
    engine.shutdown().await.unwrap();
}

/// What is on its way when the engine ends is answered first, and what was not sent goes out with the next engine.
async fn a_shutdown_waits_for_the_command_on_its_way(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    scene.begin("a", "1", act().held("one").works("two")).await;
    scene.tell("a", "2", act().works("three")).await;
    scene.passes.waits("one").await;
    let passes = scene.passes.clone();
    let (ended, ()) = tokio::join!(engine.shutdown(), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        passes.pass("one");
    });
    ended.unwrap();
    assert_eq!(scene.worked().await, ["one"]);
    let engine = scene.started().await;
    settled(&engine).await;
    assert_eq!(scene.worked().await, ["one", "two", "three"]);
    engine.shutdown().await.unwrap();
}

/// An engine whose last handle is dropped ends, and gives up its lease.
async fn a_dropped_engine_ends(scene: Scene<impl Store>) {
    let engine = scene.engine().lease(Duration::from_mins(10)).start().await.unwrap();
    scene.begin("a", "1", act().held("one").works("two")).await;
    scene.has_seen("a", "began 1").await;
    drop(engine);
    scene.passes.pass("one");
    let engine = scene.started().await;
    settled(&engine).await;
    assert_eq!(scene.worked().await, ["one", "two"]);
    engine.shutdown().await.unwrap();
}

/// A handler that panics at first is a command that is sent again.
async fn a_command_that_fails_is_sent_again(scene: Scene<impl Store>) {
    let engine = scene.engine().retry(RetryPolicy::times(1_000)).start().await.unwrap();
    let broken = act().sends("w", "one", How::Work(Works::PanicsAtFirst));
    scene.begin("a", "1", broken).await;
    scene.begin("b", "2", act().works("two")).await;
    scene.has_worked("two").await;
    scene.passes.pass("one");
    settled(&engine).await;
    assert_eq!(scene.worked().await, ["two", "one"]);
    engine.shutdown().await.unwrap();
}

/// A store that does not do what a command decided, so many times: it is not there, or somebody else was faster.
struct Unlucky {
    outages: AtomicU32,
    conflicts: AtomicU32,
}

fn one_less(count: &AtomicU32) -> bool {
    count.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Watch for Unlucky {
    fn fate(&self, call: &'static str, _: Option<&UnitOfWork>) -> Fate {
        if call == "append" && one_less(&self.outages) { Fate::FailsBefore } else { Fate::Passes }
    }

    fn appends(&self, mut appends: Vec<Append>) -> Vec<Append> {
        if one_less(&self.conflicts) {
            appends[0].expected = Expected::Exact(99);
        }
        appends
    }
}

/// Neither an outage nor a conflict is an answer, however often the engine tries a command that fails.
async fn outages_and_conflicts_pass_by_themselves(scene: Scene<impl Store>) {
    let store = Watched::new(
        scene.store.clone(),
        Unlucky { outages: AtomicU32::new(0), conflicts: AtomicU32::new(0) },
    );
    let bus = bus(&store, &scene.passes).retry(RetryPolicy::never()).build().unwrap();
    let engine = engine(&bus).retry(RetryPolicy::never()).start().await.unwrap();
    for (note, count) in [("one", &store.watch.outages), ("two", &store.watch.conflicts)] {
        scene.begin(note, note, act().held(note)).await;
        scene.passes.waits(note).await;
        count.store(3, SeqCst);
        scene.passes.pass(note);
        settled(&engine).await;
        assert_eq!(count.load(SeqCst), 0);
        assert_eq!(engine.parked().await.unwrap(), []);
    }
    assert_eq!(scene.worked().await, ["one", "two"]);
    engine.shutdown().await.unwrap();
}

/// More than stay in memory: those that were used last are not the ones that have to go when others come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_processes_than_stay_in_memory() {
    let scene = Scene::new(MemoryStore::new());
    let engine = scene.started().await;
    let ids = |name: &str, numbers: std::ops::Range<u32>| -> Vec<String> {
        numbers.map(|number| format!("{name}-{number}")).collect()
    };
    let join = async |ids: Vec<String>, note| {
        let to: Vec<&str> = ids.iter().map(String::as_str).collect();
        scene.signal(Kind::Join, &to, note, act()).await;
    };
    for first in (0..10_000).step_by(100) {
        join(ids("old", first..first + 100), "all").await;
    }
    settled(&engine).await;
    // The oldest are in memory when they have something to take, and others are read before they take it.
    join([ids("new", 0..200), ids("old", 0..50)].concat(), "some").await;
    settled(&engine).await;
    assert_eq!(scene.saw("new-199").await, ["joined some"]);
    assert_eq!(scene.saw("old-0").await, ["joined all", "joined some"]);
    assert_eq!(scene.saw("old-49").await, ["joined all", "joined some"]);
    // These had to go.
    join(ids("old", 50..250), "more").await;
    settled(&engine).await;
    assert_eq!(scene.saw("old-50").await, ["joined all", "joined more"]);
    assert_eq!(scene.saw("old-249").await, ["joined all", "joined more"]);
    assert_eq!(status(&engine).await.begun, 10_200);
    engine.shutdown().await.unwrap();
}

async fn thousands_of_processes(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let ids: Vec<String> = (0..2_000).map(|number| format!("p-{number}")).collect();
    let to: Vec<&str> = ids.iter().map(String::as_str).collect();
    scene.signal(Kind::Begin, &to, "all", act()).await;
    scene.tell("p-1999", "last", act().works("one")).await;
    settled(&engine).await;
    let status = status(&engine).await;
    assert_eq!((status.begun, status.parked, status.waiting), (2_000, 0, 0));
    assert_eq!(scene.saw("p-1000").await, ["began all"]);
    assert_eq!(scene.saw("p-1999").await, ["began all", "told last"]);
    assert_eq!(scene.worked().await, ["one"]);
    engine.shutdown().await.unwrap();
}

/// Ids that break careless quoting, splitting and comparing.
async fn ids_are_taken_as_they_are(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    let long = "x".repeat(1_024);
    let ids = [
        "a-b-c",
        "'; DROP TABLE events; --",
        "ä ö 漢字 🦀",
        "  spaces  ",
        "\"quoted\"",
        "a/b\\c%_",
        "{}",
        "null",
        &long,
    ];
    scene.signal(Kind::Begin, &ids, "all", act()).await;
    for (number, id) in ids.iter().enumerate() {
        scene.tell(id, &number.to_string(), act().works(&format!("of {number}"))).await;
    }
    // Comparing is not folding.
    scene.tell("NULL", "nobody", act()).await;
    settled(&engine).await;
    let mut worked = scene.worked().await;
    worked.sort();
    let of: Vec<_> = (0..ids.len()).map(|number| format!("of {number}")).collect();
    assert_eq!(worked, of);
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(scene.saw(id).await, ["began all".to_owned(), format!("told {number}")], "{id}");
    }
    engine.shutdown().await.unwrap();
}

/// An event for several goes to each once, also where one of them is named twice or waits.
async fn an_event_for_several_goes_to_each_once(scene: Scene<impl Store>) {
    let engine = scene.started().await;
    scene.begin("a", "1", act()).await;
    scene.begin("b", "2", act().held("slow")).await;
    scene.signal(Kind::Tell, &["a", "b", "a", "nobody"], "3", act()).await;
    scene.has_seen("a", "told 3").await;
    assert_eq!(scene.saw("b").await, ["began 2"]);
    // The low water is below what `b` has yet to do: another engine gives it to `b` only.
    let other = scene.engine().start().await.unwrap();
    drop(engine);
    scene.passes.pass("slow");
    settled(&other).await;
    assert_eq!(scene.saw("a").await, ["began 1", "told 3"]);
    assert_eq!(scene.saw("b").await, ["began 2", "told 3"]);
    assert_eq!(scene.steps("nobody").await.len(), 0);
    other.shutdown().await.unwrap();
}

crate::on_each_store!(
    commands_go_out_in_their_order,
    the_next_event_waits_for_the_answers,
    a_shutdown_waits_for_the_command_on_its_way,
    a_dropped_engine_ends,
    a_command_that_fails_is_sent_again,
    outages_and_conflicts_pass_by_themselves,
    thousands_of_processes,
    ids_are_taken_as_they_are,
    an_event_for_several_goes_to_each_once,
);
