//! What takes for ever, what panics where nobody expects it, and what is under way at a shutdown.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use annals::prelude::*;
use annals::process::ParkedCause;
use annals::projection::ProjectionState;
use annals::{Append, Event, Expected, ManualClock, MemoryStore, NewEvent, Payload, UnitOfWork};

use crate::scene::{Scene, Store, act, bus, engine, parked, settled, status, until};
use crate::script::{Kind, Move, Script, Told};
use crate::watched::{Fate, Watch, Watched};

const MINUTE: Duration = Duration::from_mins(1);

/// A deadline falls due while a command is on its way, and the engine is shut down: neither fires it, nor is the rest of the
/// step's commands lost.
async fn what_is_on_its_way_at_a_shutdown_goes_on_later(scene: Scene<impl Store>) {
    let running = scene.started().await;
    let due = act().moves(Move::Second(MINUTE)).at_deadline(act().works("late"));
    scene.begin("a", "1", due).await;
    scene.tell("a", "2", act().held("one").works("two")).await;
    scene.passes.waits("one").await;
    scene.clock.advance(2 * MINUTE);
    let let_pass = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        scene.passes.pass("one");
    };
    let (ended, ()) = tokio::join!(running.shutdown(), let_pass);
    ended.unwrap();
    assert_eq!(scene.saw("a").await, ["began 1", "told 2"], "no deadline fires any more");
    let running = scene.started().await;
    settled(&running).await;
    assert_eq!(scene.worked().await, ["one", "two", "late"]);
    assert_eq!(scene.saw("a").await, ["began 1", "told 2", "second"]);
    running.shutdown().await.unwrap();
}

/// A command that never ends waits for a person, and with it its process alone.
async fn a_command_that_never_ends_waits_for_a_person(scene: Scene<impl Store>) {
    let builder = engine(&scene.bus).clock(scene.clock.clone()).workers(1);
    let running = builder.time_limit(Duration::from_secs(1)).start().await.unwrap();
    scene.begin("a", "1", act().held("never")).await;
    scene.begin("b", "2", act().works("two")).await;
    let waiting = parked(&running, 1).await;
    assert_eq!(waiting[0].cause, ParkedCause::Command { name: "Work".to_owned() });
    assert!(waiting[0].error.contains("it took longer than 1s"), "{}", waiting[0].error);
    assert_eq!(waiting[0].attempts, 2, "once, and once again");
    assert_eq!(scene.worked().await, ["two"]);
    scene.passes.pass("never");
    running.retry_parked::<Script>("a").await.unwrap();
    settled(&running).await;
    assert_eq!(scene.worked().await, ["two", "never"]);
    running.shutdown().await.unwrap();
}

/// Counts how often an engine was told where the log ends, once something is due: that goes before what comes later.
#[derive(Default)]
struct Barriers(AtomicUsize);

impl Watch for Barriers {
    fn fate(&self, _: &'static str, _: Option<&UnitOfWork>) -> Fate {
        Fate::Passes
    }

    fn answered(&self, _: &'static str) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// What was due before an event goes before it, however many there are.
async fn a_deadline_goes_before_what_came_after_it_was_due(scene: Scene<impl Store>) {
    let store = Watched::new(scene.store.clone(), Barriers::default());
    let told = || store.watch.0.load(Ordering::SeqCst);
    let scene = Scene::new(store.clone());
    let running = scene.started().await;
    scene.begin("a", "1", act().moves(Move::Second(MINUTE))).await;
    scene.tell("a", "2", act().held("one")).await;
    scene.passes.waits("one").await;
    assert_eq!(told(), 0, "nothing is due");
    scene.clock.advance(2 * MINUTE);
    // Until the engine has seen that it is due.
    until(async || told() > 0).await;
    for _ in 0..20 {
        scene.tell("a", "later", act()).await;
    }
    scene.passes.pass("one");
    settled(&running).await;
    let saw = scene.saw("a").await;
    assert_eq!(saw[..3], ["began 1", "told 2", "second"]);
    assert_eq!(saw.len(), 23);
    running.shutdown().await.unwrap();
}

/// What a person gives up takes no deadline along that has not failed.
async fn the_deadlines_of_what_is_dropped_fire(scene: Scene<impl Store>) {
    let running = scene.started().await;
    let due = act().moves(Move::Second(MINUTE)).at_deadline(act().works("late"));
    scene.begin("a", "1", due).await;
    scene.signal(Kind::Begin, &["a"], "again", act()).await;
    parked(&running, 1).await;
    scene.clock.advance(2 * MINUTE);
    assert_eq!(running.drop_parked::<Script>("a").await.unwrap(), 1);
    settled(&running).await;
    assert_eq!(scene.worked().await, ["late"]);
    running.shutdown().await.unwrap();
}

/// What a person has had it pass over is passed over by the next owner, too, though what came before it was still under way.
async fn what_was_skipped_stays_so(scene: Scene<impl Store>) {
    let running = scene.started().await;
    scene.begin("slow", "0", act().held("slow")).await;
    scene.passes.waits("slow").await;
    scene.tell("slow", "1", act()).await;
    let bad = NewEvent::new(uuid::Uuid::now_v7(), Told::NAME, 1, Payload::new("{}"));
    let append = Append::new(StreamId::new("signals", "bad"), Expected::Any, vec![bad]);
    let receipt = scene.store.append(vec![append]).await.unwrap().remove(0);
    until(async || running.skip::<Script>(receipt.position).await.is_ok()).await;
    scene.begin("b", "2", act().works("two")).await;
    scene.has_worked("two").await;
    drop(running);
    let running = scene.started().await;
    scene.passes.pass("slow");
    settled(&running).await;
    assert_eq!(scene.worked().await, ["two", "slow"]);
    assert_eq!(scene.saw("slow").await, ["began 0", "told 1"]);
    running.shutdown().await.unwrap();
}

/// Panics as what waits to go out is read, until it is mended.
#[derive(Default)]
struct Breaks {
    is_mended: AtomicBool,
}

impl Watch for Breaks {
    fn fate(&self, call: &'static str, _: Option<&UnitOfWork>) -> Fate {
        let is_fine = call != "outgoing" || self.is_mended.load(Ordering::SeqCst);
        assert!(is_fine, "what waits cannot be read");
        Fate::Passes
    }
}

/// What panics as an owner begins is why it has stopped; mended, it goes on.
async fn what_panics_as_an_owner_begins_is_told(scene: Scene<impl Store>) {
    let store = Watched::new(scene.store.clone(), Breaks::default());
    let bus = bus(&store, &scene.passes).build().unwrap();
    let running = engine(&bus).clock(scene.clock.clone()).start().await.unwrap();
    until(async || status(&running).await.state == ProjectionState::Stopped).await;
    let why = status(&running).await.last_error.unwrap_or_default();
    assert!(why.contains("panicked: what waits cannot be read"), "{why}");
    let dropped = running.drop_parked::<Script>("a").await;
    assert!(matches!(dropped, Err(ProcessError::Stopped { .. })), "{dropped:?}");
    store.watch.is_mended.store(true, Ordering::SeqCst);
    running.resume::<Script>().await.unwrap();
    scene.begin("a", "1", act().works("one")).await;
    settled(&running).await;
    assert_eq!(scene.worked().await, ["one"]);
    running.shutdown().await.unwrap();
}

crate::on_each_store![
    what_panics_as_an_owner_begins_is_told,
    what_was_skipped_stays_so,
    what_is_on_its_way_at_a_shutdown_goes_on_later,
    a_command_that_never_ends_waits_for_a_person,
    a_deadline_goes_before_what_came_after_it_was_due,
    the_deadlines_of_what_is_dropped_fire,
];

/// A deadline is far, and the clock is set beyond it: it is due at once.
#[tokio::test]
async fn a_clock_that_is_set_far_ahead_finds_what_is_due() {
    let scene = Scene::new(MemoryStore::new());
    let running = scene.started().await;
    let due = act().moves(Move::Second(Duration::from_hours(72))).moves(Move::CancelFirst);
    scene.begin("a", "1", due.at_deadline(act().works("late"))).await;
    settled(&running).await;
    scene.clock.advance(Duration::from_hours(73));
    settled(&running).await;
    assert_eq!(scene.worked().await, ["late"]);
    running.shutdown().await.unwrap();
}

/// Unless a clock is given, deadlines go by the store's, wherever the program's stands.
#[tokio::test]
async fn deadlines_go_by_the_clock_of_the_store() {
    for ahead in [Duration::ZERO, Duration::from_hours(24 * 365)] {
        let clock = ManualClock::at(Timestamp::now() - Duration::from_hours(24 * 182) + ahead);
        let scene = Scene::new(MemoryStore::builder().clock(clock.clone()).build());
        let running = engine(&scene.bus).start().await.unwrap();
        scene
            .begin("a", "1", act().moves(Move::Second(MINUTE)).at_deadline(act().works("late")))
            .await;
        settled(&running).await;
        assert_eq!(scene.worked().await, [""; 0], "it is of the future");
        clock.advance(2 * MINUTE);
        until(async || {
            scene.tell("b", "to nobody", act()).await;
            scene.worked().await == ["late"]
        })
        .await;
        running.shutdown().await.unwrap();
    }
}

mod broken {
    //! A process whose types break where they are written.

    use annals::prelude::*;
    use serde::{Deserialize, Serialize, Serializer};

    #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
    pub struct BellId(String);

    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(name = "LimitsRung")]
    pub struct Rung {
        pub how: String,
    }

    #[derive(Debug, Clone, Serialize, Deserialize, Command)]
    #[command(name = "LimitsRing")]
    pub struct Ring {
        #[command(id)]
        pub bell: BellId,
        pub how: String,
    }

    /// It panics when it is written, or when its refusal is asked what it says.
    #[derive(Debug, Clone, Deserialize, Command)]
    #[command(name = "LimitsAnswer")]
    pub struct Answer {
        #[command(id)]
        pub bell: BellId,
        pub how: String,
    }

    impl Serialize for Answer {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            assert!(self.how != "unwritable", "it cannot be written");
            (&self.bell, &self.how).serialize(serializer)
        }
    }

    #[derive(Debug)]
    pub struct Unspeakable;

    impl std::fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("it cannot be said")
        }
    }

    impl std::error::Error for Unspeakable {}

    #[derive(Debug, Clone, Aggregate)]
    #[aggregate(id = BellId, category = "limits_bell", events(Rung))]
    pub struct Bell;

    #[handlers]
    impl Bell {
        #[handle(upsert)]
        fn ring(_: Option<&Self>, command: Ring) -> Rung {
            Rung { how: command.how }
        }

        #[handle(upsert)]
        fn answer(_: Option<&Self>, command: Answer) -> Result<(), Unspeakable> {
            if command.how == "unspeakable" { Err(Unspeakable) } else { Ok(()) }
        }

        #[apply(upsert)]
        fn rung(_: Option<Self>, _: &Rung) -> Self {
            Self
        }
    }

    #[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
    #[process_manager(name = "limits_door", id = BellId, sends(Answer))]
    pub struct Door {
        pub share: f64,
    }

    #[process]
    impl Door {
        #[on]
        fn rung(event: &Rung, cx: &EventContext<Self>) -> (Self, Option<Answer>) {
            let share = if event.how == "no number" { f64::NAN } else { 1.0 };
            let answer = Answer { bell: cx.id().clone(), how: event.how.clone() };
            (Self { share }, (event.how != "no number").then_some(answer))
        }
    }
}

/// What panics where it is written or said, or does not read back, has its own process wait, and no other.
#[tokio::test]
async fn what_breaks_where_it_is_written_waits_for_a_person() {
    use broken::{Bell, Door, Ring};

    let bus = CommandBus::builder(MemoryStore::new()).register::<Bell>().build().unwrap();
    let once = RetryPolicy::times(1).with_pause(Duration::from_millis(1));
    let builder = ProcessEngine::builder(bus.clone()).register::<Door>().retry(once);
    let running = builder.start().await.unwrap();
    for how in ["unwritable", "unspeakable", "no number"] {
        bus.dispatch(Ring { bell: how.into(), how: how.into() }).await.unwrap();
    }
    until(async || running.parked().await.unwrap().len() == 3).await;
    let waiting = running.parked().await.unwrap();
    let why = |id: &str| &waiting.iter().find(|parked| parked.id == id).unwrap().error;
    assert!(why("unwritable").contains("panicked: it cannot be written"), "{waiting:?}");
    assert!(why("unspeakable").contains("panicked: it cannot be said"), "{waiting:?}");
    assert!(why("no number").contains("the state does not read back"), "{waiting:?}");
    assert_eq!(running.drop_parked::<Door>("unspeakable").await.unwrap(), 1);
    assert_eq!(running.status().await.unwrap().of::<Door>().unwrap().parked, 2);
    running.shutdown().await.unwrap();
}
